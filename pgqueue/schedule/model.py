"""Values of the schedule room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

# The header of a message that a schedule sent: which slot of which schedule it is.
SCHEDULE_HEADER = "pgqueue-schedule"


class CatchUp(StrEnum):
    """What becomes of slots that were missed, because no scheduler ran.

    SKIP: a slot is fired within a minute of its time, or not at all. LATEST: the latest is fired, the others are left
    out. ALL: each is fired, oldest first, the newest `catch_up_most` of them.
    """

    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"


class Change(StrEnum):
    """What `set_schedule` did. UNCHANGED: the schedule was so, and nothing was written."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Resumed(StrEnum):
    """What `resume_schedule` did. ACTIVE: it was neither paused nor disabled."""

    RESUMED = "resumed"
    ACTIVE = "active"
    UNKNOWN = "unknown"


class Slot(NamedTuple):
    """Which slot of which schedule a message is; `at` is None for one that was fired by hand."""

    schedule: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Options:
    """How a schedule fires.

    `timezone`: UTC or Area/City, whose wall clock the rule follows. `jitter` (seconds or timedelta, to 1 h): each slot
    is fired that much later at most, always as much later for the same slot; shorter than the time between two slots.
    """

    timezone: str = "UTC"
    catch_up: CatchUp | str = CatchUp.LATEST
    catch_up_most: int = 100
    jitter: float | timedelta = 0


class DueSchedule(NamedTuple):
    """A schedule to look at: its slot has come, or (slot None) its rule was never planned. `seen_at` is the database's now."""

    name: str
    queue: str
    cron: str
    timezone: str
    catch_up: str
    catch_up_most: int
    jitter: timedelta
    last_slot: datetime | None
    slot: datetime | None
    seen_at: datetime


class Plan(NamedTuple):
    """What to do with a due schedule: the slots to fire, oldest first, and the next one with the instant it is due."""

    slots: tuple[datetime, ...]
    next_at: datetime
    due_at: datetime


class Fired(NamedTuple):
    """What became of a plan.

    `outcome`: fired; planned (nothing was to be sent); disabled; lost (another was first, or the plan was out of date).
    The slots from `passed_from` until before `passed_until` were left out by the policy. `problem`: why it is disabled.
    """

    outcome: str
    sent: int
    passed_from: datetime | None
    passed_until: datetime | None
    problem: str | None


class ScheduleInfo(NamedTuple):
    """One row of `pgqueue.schedules`. `state`: active, new, late, paused or disabled."""

    name: str
    queue: str
    state: str
    cron: str
    timezone: str
    next_at: datetime | None
    due_at: datetime | None
    last_slot: datetime | None
    last_fired_at: datetime | None
    last_msg_id: int | None
    fired: int
    missed_from: datetime | None
    missed_until: datetime | None
    catch_up: str
    catch_up_most: int
    jitter: timedelta
    error: str | None
    paused_at: datetime | None
    paused_by: str | None
    pause_reason: str | None
    group_key: str | None
    priority: int
    created_at: datetime
    changed_at: datetime
    message: Any
    headers: Any
