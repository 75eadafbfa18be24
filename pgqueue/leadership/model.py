"""Values of the leadership room."""

from __future__ import annotations

import math
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from pgqueue.call import Call
from pgqueue.errors import ConfigurationError

T = TypeVar("T")

SHORTEST_LEASE, LONGEST_LEASE = 1.0, 3_600.0


class Runner(Protocol):
    """What runs the calls: an `AsyncPgQueue`."""

    def run(self, call: Call[T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How a lease is held: for `lease` seconds, renewed (and, by a standby, asked for) about every `interval` seconds.

    A leader that dies is replaced within `lease`; one that is told to stop, within `interval`. Raises: ConfigurationError.
    """

    lease: float = 10.0
    interval: float = 3.0

    def __post_init__(self) -> None:
        """Check each, and the one against the other."""
        if not SHORTEST_LEASE <= self.lease <= LONGEST_LEASE:  # false for NaN too
            raise _bad("lease", self.lease, f"{SHORTEST_LEASE:g} to {LONGEST_LEASE:g} seconds")
        if not (math.isfinite(self.interval) and self.interval > 0):
            raise _bad("interval", self.interval, "seconds over 0")
        if self.interval >= self.lease:
            raise _bad("interval", self.interval, f"less than the lease ({self.lease:g} s)")


class Bid(NamedTuple):
    """The answer to whoever wants to lead: the token of the new leader, None for a standby.

    `lapses_in`: the seconds until the lease lapses, whoever has it.
    """

    token: int | None
    lapses_in: float


class LeaderInfo(NamedTuple):
    """One row of `pgqueue.leaders`. `state`: leads, lapsed (dead, and nobody took over) or free (given back)."""

    name: str
    state: str
    holder: str | None
    token: int
    elected_at: datetime
    renewed_at: datetime
    expires_at: datetime


def _bad(name: str, value: object, allowed: str) -> ConfigurationError:
    return ConfigurationError(f"{name} can't be {value}", cure=f"Allowed: {allowed}.", setting=name)
