"""Values of the reaper room. Durations are seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from pgqueue.errors import ConfigurationError
from pgqueue.leadership.model import Runner

LONGEST_EVERY = 86_400.0
_NAME = re.compile(r"[a-z][a-z_]{0,62}")


class Moved(NamedTuple):
    """What one step did: so many rows; `again`: there may be more."""

    rows: int
    again: bool


# One bounded step, for a queue where the chore is done for each, else for "". Safe beside itself in another process.
Step = Callable[[Runner, str], Awaitable[Moved]]


@dataclass(frozen=True, slots=True)
class Chore:
    """What the reaper does about every `every` seconds: `step` again and again while there is more, `most_steps` a queue.

    Raises: ConfigurationError naming the bad one.
    """

    name: str
    every: float
    step: Step
    each_queue: bool = False
    most_steps: int = 20

    def __post_init__(self) -> None:
        """Check each."""
        if not _NAME.fullmatch(self.name):
            raise _bad(self.name, "name", self.name, "small letters and underscores")
        if not (math.isfinite(self.every) and 0 < self.every <= LONGEST_EVERY):
            raise _bad(self.name, "every", self.every, f"over 0, up to {LONGEST_EVERY:g} seconds")
        if self.most_steps < 1:
            raise _bad(self.name, "most_steps", self.most_steps, "at least 1")


class Answer(StrEnum):
    """What the database says to whoever would run a chore. LOST: it leads no more."""

    DUE = "due"
    LATER = "later"
    LOST = "lost"


class Turn(NamedTuple):
    """The answer, and in how many seconds to ask again."""

    answer: Answer
    wait: float


class Done(NamedTuple):
    """One run of a chore. `more`: it stopped at its bound."""

    moved: int = 0
    error: str | None = None
    more: bool = False


class Report(NamedTuple):
    """What became of a chore when all were run once; `done` is None for one that wasn't due."""

    chore: str
    done: Done | None


class SweepInfo(NamedTuple):
    """One row of `pgqueue.sweeps`. `state`: ok, failing, or late: no process maintains this database."""

    chore: str
    state: str
    holder: str
    every: timedelta
    last_run_at: datetime | None
    last_moved: int | None
    total: int
    runs: int
    failures: int
    last_failed_at: datetime | None
    last_error: str | None
    next_at: datetime


def _bad(chore: str, name: str, value: object, allowed: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} of chore {chore!a} can't be {value!a}", cure=f"Allowed: {allowed}.", setting=name
    )
