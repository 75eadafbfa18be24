"""`PgQueue`: the everyday verbs for plain Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from pgqueue.call import Call
from pgqueue.client.doors import direct_door, work_door
from pgqueue.db.liveness import Connection
from pgqueue.db.runner import CALL_TIMEOUT, MAX_CONNECTIONS, ConnectionRunner, Runner
from pgqueue.dead_letter import calls as dead_letter_calls
from pgqueue.dead_letter.model import DeadLetter
from pgqueue.message import calls
from pgqueue.message.model import Message, Outcome, WaitingMessage
from pgqueue.message.rules import Seconds
from pgqueue.queue import calls as queue_calls
from pgqueue.queue.model import QueueInfo, QueueSettings, Upkeep

T = TypeVar("T")


class PgQueue:
    """A client. It opens connections when they are needed, and may be shared between threads.

    Without a DSN it takes PGQUEUE_DSN, DATABASE_URL, the PG* variables or, with none of them, the embedded
    Postgres. Durations are seconds or timedelta. A lost connection raises Unavailable (call again) or
    InDoubt (perhaps done); see `pgqueue.errors`. Not for use across a fork. In a running event loop it
    blocks the loop: use AsyncPgQueue.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        direct_dsn: str | None = None,
        role: str = "client",
        call_timeout: float = CALL_TIMEOUT,
        max_connections: int = MAX_CONNECTIONS,
        async_commit: bool = True,
    ) -> None:
        """`call_timeout` bounds every call. `async_commit` spares reads and acks the wait for the disk.

        `dsn` may lead through a transaction pooler; `direct_dsn` (PGQUEUE_DIRECT_DSN) may not, and is
        optional.
        """
        self.direct_door = direct_door(direct_dsn, dsn, os.environ, role)
        self._runner: Runner | ConnectionRunner = Runner(
            work_door(dsn, os.environ, role),
            call_timeout=call_timeout,
            max_connections=max_connections,
            async_commit=async_commit,
        )

    def run(self, call: Call[T]) -> T:
        """Run a call of any room."""
        return self._runner.run(call)

    def on(self, connection: Connection) -> Self:
        """Return this client on your own psycopg connection: its verbs are part of your transaction.

        It never commits, rolls back, closes, repeats or changes a setting; your time-outs count. Through
        PgBouncer open the connection with prepare_threshold=None. Raises: InvalidInput for a connection that
        is closed, in a failed transaction, in pipeline mode, or none of psycopg 3.
        """
        bound = object.__new__(type(self))
        bound.direct_door = None
        bound._runner = ConnectionRunner(connection)
        return bound

    @property
    def in_transaction(self) -> bool:
        """Whether a call made now is part of a transaction of yours that stays open after it."""
        return isinstance(self._runner, ConnectionRunner) and self._runner.in_transaction

    def send(
        self,
        queue: str,
        message: object,
        *,
        headers: Mapping[str, object] | None = None,
        delay: Seconds = 0,
        key: str | None = None,
        group_key: str | None = None,
        priority: int = 0,
    ) -> int:
        """Send one message and return its msg_id. With a `key` it is safe to repeat."""
        return self.run(
            calls.send(
                queue, message, headers=headers, delay=delay, key=key, group_key=group_key, priority=priority
            )
        )

    def send_many(
        self,
        queue: str,
        messages: Sequence[object],
        *,
        headers: Sequence[Mapping[str, object] | None] | None = None,
        delay: Seconds = 0,
        keys: Sequence[str | None] | None = None,
        group_keys: Sequence[str | None] | None = None,
        priority: int = 0,
    ) -> list[int]:
        """Send up to 10,000 messages in one statement, all or none; return their ids in order."""
        return self.run(
            calls.send_batch(
                queue,
                messages,
                headers=headers,
                delay=delay,
                keys=keys,
                group_keys=group_keys,
                priority=priority,
            )
        )

    def read(
        self,
        queue: str,
        *,
        vt: Seconds | None = None,
        qty: int = 1,
        filter: Mapping[str, object] | None = None,  # noqa: A002 - the word of the SQL surface
        holder: str | None = None,
    ) -> list[Message]:
        """Lease up to `qty` visible messages for `vt`; settle each with its receipt."""
        return self.run(calls.read(queue, vt=vt, qty=qty, filter=filter, holder=holder))

    def pop(self, queue: str, *, qty: int = 1) -> list[Message]:
        """Take up to `qty` messages out at once: delivered at most once."""
        return self.run(calls.pop(queue, qty=qty))

    def peek(
        self, queue: str, state: str | None = None, after_id: int = 0, qty: int = 20
    ) -> list[WaitingMessage]:
        """Look at waiting messages without leasing them."""
        return self.run(calls.peek(queue, state, after_id, qty))

    def delete(self, queue: str, msg_id: int, receipt: int | None = None) -> Outcome:
        """Remove one message: the ack."""
        return self.run(calls.delete(queue, msg_id, receipt))

    def delete_many(
        self, queue: str, msg_ids: Sequence[int], receipts: Sequence[int | None] | None = None
    ) -> dict[int, Outcome]:
        """Remove many messages in one statement."""
        return self.run(calls.delete_batch(queue, msg_ids, receipts))

    def archive(self, queue: str, msg_id: int, receipt: int | None = None) -> Outcome:
        """Remove one message and keep it in the archive."""
        return self.run(calls.archive(queue, msg_id, receipt))

    def set_vt(self, queue: str, msg_id: int, vt: Seconds, receipt: int | None = None) -> Outcome:
        """Let one message become visible `vt` from now; prolongs a lease."""
        return self.run(calls.set_vt(queue, msg_id, vt, receipt))

    def release(self, queue: str, msg_id: int, receipt: int | None = None) -> Outcome:
        """Give one lease back: visible at once, and not counted against max_reads."""
        return self.run(calls.release(queue, msg_id, receipt))

    def retry(
        self, queue: str, msg_id: int, delay: Seconds, error: str | None = None, receipt: int | None = None
    ) -> Outcome:
        """Give one lease back after a failure: visible again after `delay`."""
        return self.run(calls.retry(queue, msg_id, delay, error, receipt))

    def bury(
        self, queue: str, msg_id: int, reason: str, error: str | None = None, receipt: int | None = None
    ) -> Outcome:
        """Move one message to the dead letters."""
        return self.run(calls.bury(queue, msg_id, reason, error, receipt))

    def dead_letters(
        self, queue: str, *, after_id: int = 0, qty: int = 20, waiting_only: bool = False
    ) -> list[DeadLetter]:
        """Return dead letters by msg_id; `waiting_only` leaves out the redriven ones."""
        call = dead_letter_calls.dead_letters(queue, after_id=after_id, qty=qty, waiting_only=waiting_only)
        return self.run(call)

    def redrive(self, queue: str, msg_ids: Sequence[int] | None = None) -> dict[int, int]:
        """Send dead letters (None: all) again as new messages; return {old id: new id}."""
        return self.run(dead_letter_calls.redrive(queue, msg_ids))

    def create_queue(
        self, queue: str, kind: str | None = None, settings: Mapping[str, object] | None = None
    ) -> None:
        """Create a queue. Twice with the same arguments is harmless."""
        return self.run(queue_calls.create_queue(queue, kind, settings))

    def drop_queue(self, queue: str, *, force: bool = False) -> bool:
        """Drop a queue, with `force` also one that holds messages; False when there was none."""
        return self.run(queue_calls.drop_queue(queue, force=force))

    def purge_queue(self, queue: str) -> int:
        """Remove every waiting message of a queue and return how many."""
        return self.run(queue_calls.purge_queue(queue))

    def maintain(self, queue: str) -> Upkeep:
        """Do one bounded step of upkeep of a queue; consumers do it for theirs."""
        return self.run(queue_calls.maintain(queue))

    def configure_queue(self, queue: str, settings: Mapping[str, object]) -> QueueSettings:
        """Change some settings of a queue and return the effective ones."""
        return self.run(queue_calls.configure_queue(queue, settings))

    def list_queues(self) -> list[QueueInfo]:
        """Return every queue with its counts and settings, by name."""
        return self.run(queue_calls.list_queues())

    def metrics(self, queue: str | None = None) -> list[QueueInfo]:
        """Return the counts of one queue, or of all."""
        return self.run(queue_calls.metrics(queue))

    def close(self) -> None:
        """Close the client's own connections; on your connection it does nothing. Safe to repeat."""
        if isinstance(self._runner, Runner):
            self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()
