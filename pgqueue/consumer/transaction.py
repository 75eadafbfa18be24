"""What a context asks of its lease: `ctx.tx()`, the transaction that effects share with the ack, and `ctx.once()`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any

from pgqueue.call import Call
from pgqueue.consumer import barriers, calls
from pgqueue.consumer.model import Clock, Doors, Held
from pgqueue.errors import ClientMisuse, InDoubt, StaleReceipt
from pgqueue.message.calls import begin_step
from pgqueue.task.context import Step, Transaction
from pgqueue.task.handler import run_on


class HeldLease:
    """Answers what a context asks about its lease. For poison the transaction ends with the burial, not the ack."""

    def __init__(self, held: Held, doors: Doors, now: Clock, *, is_poison: bool = False) -> None:
        self._held, self._doors, self._now, self._is_poison = held, doors, now, is_poison

    def still_mine(self) -> bool:
        return not self._held.lost and not self._held.acked and self._now() < self._held.lease_until

    def transaction(self) -> Transaction:
        held = self._held
        if held.acked or held.in_doubt:
            raise ClientMisuse(
                "this message's transaction has already been committed",
                cure="Write everything in one `ctx.tx()` block: the ack goes with its commit.",
            )
        # Built when the block is over: what a part arrives with is known by then.
        last = (lambda: calls.burial(held, "handled")) if self._is_poison else (lambda: calls.ack(held))
        return SettlingTransaction(held, self._doors.transactions.ending_with(last))

    def arrive_with(self, value: object) -> None:
        barriers.arrive_with(self._held, value)

    def step(self, name: str) -> Step:
        message = self._held.message
        call = begin_step(self._held.plan.queue, message.msg_id, message.receipt or 0, name)
        return StepTransaction(self._held, self._doors.transactions.beginning_with(call), call)


class Block(AbstractContextManager[Any], AbstractAsyncContextManager[Any]):
    """A `with` block around a transaction of ours; one at a time for a message, for each takes a connection."""

    def __init__(self, held: Held, inner: Transaction) -> None:
        self._held, self._inner = held, inner

    def __enter__(self) -> Any:
        self._enter()
        try:
            return self._inner.__enter__()
        except BaseException:
            self._held.in_block = False
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        self._held.in_block = False
        try:
            swallowed = self._inner.__exit__(kind, error, tb)
        except BaseException as failure:
            self._failed(failure, of_block=failure is error)
            raise
        self._ended(committed=kind is None)
        return swallowed

    async def __aenter__(self) -> Any:
        self._enter()
        try:
            return await self._inner.__aenter__()
        except BaseException:
            self._held.in_block = False
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        self._held.in_block = False
        try:
            swallowed = await self._inner.__aexit__(kind, error, tb)
        except BaseException as failure:
            self._failed(failure, of_block=failure is error)
            raise
        self._ended(committed=kind is None)
        return swallowed

    def _enter(self) -> None:
        if self._held.in_block:
            raise ClientMisuse(
                "a `with ctx.tx()` or `with ctx.once(...)` is open already in this handler",
                cure="Close it first; inside of a transaction write `ctx.once(...).on(connection)`.",
            )
        self._held.in_block = True

    def _failed(self, failure: BaseException, *, of_block: bool) -> None:
        """Note how the transaction failed; `of_block`: the exception is the block's own, passed on."""

    def _ended(self, *, committed: bool) -> None:
        """Note that the block is over."""


class SettlingTransaction(Block):
    """Gives the connection of a transaction that ends with the ack or the burial; notes how it ended."""

    def _failed(self, failure: BaseException, *, of_block: bool) -> None:
        if of_block:  # also where the block raised one of these about something else
            return
        if isinstance(failure, StaleReceipt):
            self._held.lost = True
        elif isinstance(failure, InDoubt):
            self._held.in_doubt = True

    def _ended(self, *, committed: bool) -> None:
        self._held.acked = committed


class StepTransaction(Block):
    """Gives the connection of a transaction that begins by noting a step, or None when it is done."""

    def __init__(self, held: Held, inner: Transaction, call: Call[bool]) -> None:
        super().__init__(held, inner)
        self._call = call

    def on(self, connection: Any, /) -> Any:
        from pgqueue.db.attempt import is_in_transaction  # noqa: PLC0415 - psycopg is loaded only where a connection is used

        if not is_in_transaction(connection):
            raise ClientMisuse(
                "a step on a connection in autocommit would be noted before it is done",
                cure="Open a transaction on it: `with connection.transaction():`.",
            )
        return run_on(connection, self._call)
