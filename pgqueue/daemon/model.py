"""Values of the daemon room. Times are monotonic seconds of this machine: workers and supervisor share the clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pgqueue.consumer.record import Row
from pgqueue.consumer.report import Beat, PlanLine, QueueCounts
from pgqueue.errors import ConfigurationError

MOST_PROCESSES = 64


class Leaving(StrEnum):
    """Why a worker is on its way out."""

    STALE = "stale"  # one of its handlers, or its loop, made no progress for health_stale
    RECYCLED = "recycled"
    STOPPED = "stopped"  # with the whole command


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """How many processes, and when one is replaced. Raises ConfigurationError naming the bad one.

    `grace` is in seconds; `port` None means no server, 0 any free one.
    """

    processes: int = 1
    grace: float = 25.0
    host: str = "127.0.0.1"
    port: int | None = None
    max_messages: int | None = None
    max_megabytes: float | None = None

    def __post_init__(self) -> None:
        """Check each."""
        if not 1 <= self.processes <= MOST_PROCESSES:
            raise _bad(
                "processes", self.processes, f"0 to {MOST_PROCESSES}; 0 is one process without a supervisor"
            )
        if not (math.isfinite(self.grace) and self.grace >= 0):
            raise _bad("grace", self.grace, "seconds from 0 on")
        if self.port is not None and not 0 <= self.port < 1 << 16:
            raise _bad("port", self.port, "0 to 65535; 0 takes a free one")
        if self.max_messages is not None and self.max_messages < 1:
            raise _bad("max_messages", self.max_messages, "at least 1")
        if self.max_megabytes is not None and not (
            math.isfinite(self.max_megabytes) and self.max_megabytes > 0
        ):
            raise _bad("max_megabytes", self.max_megabytes, "over 0")


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker process, as its supervisor sees it at one moment.

    `number` is its place in the fleet, `silent_for` the seconds since its last beat.
    """

    number: int
    pid: int
    uptime: float
    silent_for: float
    beat: Beat = field(default_factory=Beat)
    plans: Mapping[int, PlanLine] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    handled: int = 0
    leaving: Leaving | None = None


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """What happened since the supervisor's start, by reason, by queue, by verb."""

    deaths: Mapping[str, int] = field(default_factory=dict)
    retired: Mapping[str, QueueCounts] = field(default_factory=dict)  # counts of processes that are gone
    settled_for_dead: Mapping[tuple[str, str], int] = field(default_factory=dict)
    renewed_for_silent: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything that a probe or a scrape may ask for; swapped as a whole, never changed.

    `crashes` has, for each place of the fleet, how many processes in a row died young there.
    """

    taken_at: float
    workers: Sequence[WorkerView] = ()
    crashes: Sequence[int] = ()
    stopping: bool = False
    counts: FleetCounts = field(default_factory=FleetCounts)


def _bad(name: str, value: object, allowed: str) -> ConfigurationError:
    return ConfigurationError(f"{name} can't be {value}", cure=f"Allowed: {allowed}.", setting=name)
