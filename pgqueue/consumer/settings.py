"""Settings of a consumer: flag over environment over the queue's own over default, each with its source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgqueue.consumer.model import QueuePlan
from pgqueue.errors import ConfigurationError
from pgqueue.queue.model import Pause, QueueSettings

LARGEST_CONCURRENCY = 1_000
LARGEST_BATCH = 1_000
SHORTEST_VT, LONGEST_VT = 0.1, 86_400.0


@dataclass(frozen=True, slots=True)
class Given:
    """A value that was given for this process, and where: "flag" or "environment"."""

    value: Any
    source: str


Overrides = Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What holds for the process; durations are seconds. Raises ConfigurationError naming the bad one."""

    concurrency: int = 10
    poll: float = 0.1
    poll_max: float = 2.0
    grace: float = 25.0
    call_timeout: float = 10.0
    holder: str = "consumer"

    def __post_init__(self) -> None:
        """Check each, and those that depend on each other."""
        if not 1 <= self.concurrency <= LARGEST_CONCURRENCY:
            raise _bad("concurrency", self.concurrency, f"1 to {LARGEST_CONCURRENCY}")
        for name in ("poll", "poll_max", "call_timeout"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise _bad(name, getattr(self, name), "seconds over 0")
        if self.poll_max < self.poll:
            raise _bad("poll_max", self.poll_max, f"at least poll ({self.poll} s)")
        if not (math.isfinite(self.grace) and self.grace >= 0):
            raise _bad("grace", self.grace, "seconds from 0 on")


def check_overrides(overrides: Overrides) -> None:
    """Refuse values that no queue could be consumed with, before the database is asked."""
    vt = overrides["vt"].value if "vt" in overrides else SHORTEST_VT
    alone = QueueSettings(vt=vt, health_stale=math.nextafter(vt, math.inf))
    make_plan("", alone, overrides)


def make_plan(
    queue: str, settings: QueueSettings, overrides: Overrides, *, weight: int = 1, paused: Pause | None = None
) -> QueuePlan:
    """Combine a queue's settings with this process's. Raises ConfigurationError naming the bad one."""
    values = {name: given.value for name, given in overrides.items()}
    plan = QueuePlan(
        queue=queue,
        vt=values.get("vt", settings.vt),
        health_stale=values.get("health_stale", settings.health_stale),
        max_reads=values.get("max_reads", settings.max_reads),
        unknown_grace=settings.unknown_grace,
        backoff=settings.backoff,
        batch=values.get("batch", settings.batch),
        archive=values.get("archive", settings.archive),
        ack_async=settings.ack_commit == "async",
        weight=weight,
        limited=settings.max_in_flight > 0 or settings.max_in_flight_per_key > 0,
        paused=paused,
        repark_seconds=settings.repark_seconds,
        hard_cap=settings.max_reads + settings.repark_budget,
    )
    _check(plan)
    return plan


def sources(plan: QueuePlan, overrides: Overrides) -> dict[str, str]:
    """Show the effective values of a plan with their sources, for the log."""
    shown = ("vt", "health_stale", "max_reads", "batch", "archive")
    return {
        name: f"{getattr(plan, name)} ({overrides[name].source if name in overrides else 'queue'})"
        for name in shown
    }


def _check(plan: QueuePlan) -> None:
    if not (math.isfinite(plan.vt) and SHORTEST_VT <= plan.vt <= LONGEST_VT):
        raise _bad("vt", plan.vt, f"{SHORTEST_VT} to {LONGEST_VT:.0f} seconds", plan.queue)
    if not (math.isfinite(plan.health_stale) and plan.health_stale > plan.vt):
        raise _bad("health_stale", plan.health_stale, f"over vt ({plan.vt} s)", plan.queue)
    if not 1 <= plan.batch <= LARGEST_BATCH:
        raise _bad("batch", plan.batch, f"1 to {LARGEST_BATCH}", plan.queue)
    if plan.max_reads < 1:
        raise _bad("max_reads", plan.max_reads, "at least 1", plan.queue)


def _bad(name: str, value: Any, allowed: str, queue: str | None = None) -> ConfigurationError:
    where = f" of queue {queue}" if queue else ""
    return ConfigurationError(f"{name}{where} can't be {value}", cure=f"Allowed: {allowed}.", setting=name)
