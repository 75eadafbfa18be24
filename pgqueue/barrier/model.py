"""Values of the barrier room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from pgqueue.call import Call

# The keyword argument that tells a barrier's callback from any other message of its task; SQL has the same name.
TRANSPORT_MARK = "_pg_transport"
PART_HEADER = "pgqueue-part"
CALLBACK_HEADER = "pgqueue-barrier"

# What became of a callback that was delivered again after it had finished.
SKIPPED_DUPLICATE_CALLBACK = "skipped_duplicate_callback"


class Policy(StrEnum):
    """What a part does to its barrier when it will never do its work.

    ABORT: the barrier fails. COLLECT: the part counts as ended, and the callback sees its error. RETRY: its dead letter
    is sent again while there are retries; then as ABORT.
    """

    ABORT = "abort"
    COLLECT = "collect"
    RETRY = "retry"


class Arrival(StrEnum):
    """What a call that ends a part did.

    ARRIVED: others are still open. FIRED: it was the last, the callback is sent. FAILED: the barrier has failed with it.
    RETRIED: the part was sent again. Nothing was changed by the rest. AGAIN: the part had ended before. ENDED: the
    barrier is over. UNKNOWN: there is no such part.
    """

    ARRIVED = "arrived"
    FIRED = "fired"
    FAILED = "failed"
    RETRIED = "retried"
    AGAIN = "again"
    ENDED = "ended"
    UNKNOWN = "unknown"


class Aborted(StrEnum):
    """What an abort did. ENDED: the barrier was over. UNKNOWN: there is none of the key."""

    ABORTED = "aborted"
    ENDED = "ended"
    UNKNOWN = "unknown"


class PartOf(NamedTuple):
    """Which part of which run of a barrier a message is."""

    barrier: str
    generation: int
    part: int


class CallbackOf(NamedTuple):
    """Which run of a barrier a message was sent by, at its end."""

    barrier: str
    generation: int


@dataclass(frozen=True, slots=True)
class Part:
    """A message to be sent: as a part, or at the end of a barrier (which takes no group_key)."""

    queue: str
    message: object
    headers: Mapping[str, object] | None = None
    group_key: str | None = None
    priority: int = 0


# A send as a value does as well: `charge.call(order_id=7)`.
Sending = Part | Call[int]


@dataclass(frozen=True, slots=True)
class Options:
    """How a barrier is armed. Durations are seconds or timedelta.

    `deadline` and `stall_after` (no part has ended for so long): then the barrier expires. `retries`: how often a part is
    sent again under RETRY. `retention`: how long the ended barrier is kept, results and guard against duplicates
    included. `fire_empty`: without parts, send the callback at once. `new_generation`: replace a live barrier of the
    key. `on_failure`: the message to send when the barrier fails, expires or is aborted.
    """

    policy: Policy | str = Policy.ABORT
    deadline: float | timedelta = 21_600
    stall_after: float | timedelta = 9_000
    retries: int = 3
    retention: float | timedelta = 604_800
    fire_empty: bool = False
    new_generation: bool = False
    on_failure: Sending | None = None


class PartResult(NamedTuple):
    """What one part brought. `state`: open, done (with its result) or failed (with its error)."""

    part: int
    state: str
    result: Any
    error: str | None


class MissingPart(NamedTuple):
    """An open part, and where its message is: `state` as in `pgqueue.messages`, or dead, redriven, gone."""

    part: int
    queue: str
    msg_id: int
    tries: int
    state: str
    read_ct: int | None
    vt: datetime | None
    holder: str | None
    error: str | None


class BarrierInfo(NamedTuple):
    """One row of `pgqueue.barriers`. `state`: live, done, failed, expired, aborted or replaced."""

    key: str
    generation: int
    state: str
    policy: str
    parts: int
    done: int
    failed: int
    open: int
    progress: float
    armed_at: datetime
    last_progress_at: datetime
    deadline_at: datetime
    stalls_at: datetime
    ended_at: datetime | None
    reason: str | None
    callback_queue: str | None
    callback_msg_id: int | None
    callback_finished_at: datetime | None
    kept_until: datetime | None


class Swept(NamedTuple):
    """What one step of the sweep looked at, and how much it changed there."""

    key: str
    generation: int
    changed: int
