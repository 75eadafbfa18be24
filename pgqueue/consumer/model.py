"""Values of the consumer room. Times of this process are monotonic seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from pgqueue.barrier.model import CallbackOf
from pgqueue.call import Call
from pgqueue.message.model import Message
from pgqueue.queue.model import Backoff, Pause
from pgqueue.task.context import Transaction

T = TypeVar("T")


class Runner(Protocol):
    """What reads and settles: an `AsyncPgQueue`."""

    def run(self, call: Call[T], /) -> Awaitable[T]: ...


class RenewalRunner(Protocol):
    """What renews leases: a `PgQueue` of the renewal thread's own."""

    def run(self, call: Call[T], /) -> T: ...

    def close(self) -> None: ...


class TransactionSource(Protocol):
    """What opens the transactions of `ctx.tx()` and `ctx.once()`: `Transactions` of the database room."""

    def ending_with(self, last: Callable[[], Call[Any]], /) -> Transaction: ...

    def beginning_with(self, first: Call[bool], /) -> Transaction: ...


class Listener(Protocol):
    """What hears the senders' rings: `Listener` of the database room."""

    def hears(self) -> bool: ...

    async def listen(self, queues: Sequence[str], rung: Callable[[str], None], /) -> None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """Every way into the database that a consumer is handed; none opens a connection before it is used.

    `open_renewal` takes the seconds that a call may wait for its answer. Without a listener messages are found
    by polling alone.
    """

    work: Runner
    open_renewal: Callable[[float], RenewalRunner]
    transactions: TransactionSource
    listener: Listener | None = None

    def hears(self) -> bool:
        """Tell whether a ring would be heard now."""
        return self.listener is not None and self.listener.hears()


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """How the messages of one queue are claimed and settled: the queue's settings, overridden per process."""

    queue: str
    vt: float
    health_stale: float
    max_reads: int
    unknown_grace: float
    backoff: Backoff
    batch: int
    archive: bool
    ack_async: bool
    weight: int = 1
    limited: bool = False  # by max_in_flight or max_in_flight_per_key
    paused: Pause | None = None
    repark_seconds: float = 300.0
    hard_cap: int = 10  # the queue's own, as SQL has it: what a process overrides doesn't move it


class Verb(StrEnum):
    """What is done with a message. NOTHING lets the lease lapse.

    A part of a barrier is not deleted or archived but arrives (ARRIVE), and fails with its burial (BURY_PART); the ack of
    a barrier's callback notes that it has run (FINISH). What somebody waits for, or what another message follows, is acked
    with that (ACK_WITH).
    """

    DELETE = "delete"
    ARCHIVE = "archive"
    RETRY = "retry"
    BURY = "bury"
    RELEASE = "release"
    NOTHING = "nothing"
    ARRIVE = "arrive"
    BURY_PART = "bury_part"
    FINISH = "finish"
    ACK_WITH = "ack_with"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decided end of one delivery. `delay` is in seconds, for RETRY and RELEASE."""

    verb: Verb
    delay: float = 0.0
    reason: str | None = None
    error: str | None = None


@dataclass(slots=True, eq=False)
class Held:
    """One claimed message and what this process knows of its lease.

    Written by the loop, by the thread of its handler and by the renewal thread; each field has one writer at
    a time. `lost`: the server answered stale or gone. `outlived`: the handler ran longer than health_stale,
    renewal ended. `acked`: ctx.tx committed the ack. `in_doubt`: the answer to that commit was lost. `row`: its place
    in the record that the supervisor reads, 0 for none. `in_block`: a transaction of ctx is open. `result`: the JSON that
    a part of a barrier arrives with, a reply brings, or a continuation gets. `from_barrier`: the barrier that has sent it
    at its end, known once it was asked.
    """

    plan: QueuePlan
    message: Message
    claimed_at: float
    lease_until: float
    started_at: float | None = None
    renewed_at: float | None = None
    lost: bool = False
    outlived: bool = False
    acked: bool = False
    in_doubt: bool = False
    row: int = 0
    in_block: bool = False
    result: str | None = None
    from_barrier: CallbackOf | None = None

    @property
    def attempt(self) -> int:
        return self.message.read_ct - self.message.release_ct


Clock = Callable[[], float]
