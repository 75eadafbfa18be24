"""Values of the queue room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self


class Backoff(NamedTuple):
    """How long a failed message waits: `base * factor ** (failures - 1)` seconds, at most `cap`.

    `jitter` spreads that to both sides, as a share of it.
    """

    base: float = 1.0
    factor: float = 2.0
    cap: float = 3600.0
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The effective settings of one queue. Durations are seconds. The defaults are those of the database."""

    vt: float = 30.0
    health_stale: float = 60.0
    max_reads: int = 5
    repark_seconds: float = 300.0
    repark_budget: int = 5
    unknown_grace: float = 600.0
    backoff: Backoff = field(default=Backoff())
    batch: int = 100
    archive: bool = False
    retention: float = 604_800.0
    dead_retention: float = 0.0
    durability: str = "safe"
    ack_commit: str = "async"
    payload_limit: int = 1_048_576
    key_window: float = 86_400.0
    rate_limit: float = 0.0
    rate_burst: int = 0
    max_in_flight: int = 0
    max_in_flight_per_key: int = 0

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Self:
        """Build from the settings object of `pgqueue.queues`. Names of a newer schema are left out."""
        known = {name: value for name, value in settings.items() if name in cls.__dataclass_fields__}
        if isinstance(backoff := known.get("backoff"), Mapping):
            parts = {name: value for name, value in backoff.items() if name in Backoff._fields}
            known["backoff"] = Backoff(**parts)
        return cls(**known)


class Pause(NamedTuple):
    """Why a queue hands out nothing: who paused it, why, since when, and when that ends by itself (None: not)."""

    by: str
    why: str
    at: datetime
    until: datetime | None


class QueueState(NamedTuple):
    """What a worker asks for every few seconds."""

    settings: QueueSettings
    paused: Pause | None


class Upkeep(NamedTuple):
    """What one step of upkeep did: messages brought back, and whether a drained side of the log was truncated."""

    moved: int
    truncated: bool


class QueueInfo(NamedTuple):
    """One row of `pgqueue.queues`.

    `depth` is exact up to 10,000; beyond that it is an estimate and `approx` is true.
    """

    queue: str
    kind: str
    depth: int
    ready: int
    delayed: int
    in_flight: int
    retrying: int
    approx: bool
    dead: int
    oldest_at: datetime | None
    last_sent_at: datetime | None
    last_msg_id: int | None
    settings: QueueSettings
    created_at: datetime
    paused: Pause | None = None
