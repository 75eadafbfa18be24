"""`ctx.tx()`: the transaction that a handler's effects share with the ack."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any

from pgqueue.consumer import calls
from pgqueue.consumer.model import Held, TransactionSource
from pgqueue.errors import ClientMisuse, InDoubt, StaleReceipt
from pgqueue.task.context import Transaction


class AckingTransaction(AbstractContextManager[Any], AbstractAsyncContextManager[Any]):
    """Gives the connection of a transaction that ends with the ack; notes how it ended."""

    def __init__(self, held: Held, transactions: TransactionSource) -> None:
        if held.acked or held.in_doubt:
            raise ClientMisuse(
                "this message's transaction has already been committed",
                cure="Write everything in one `ctx.tx()` block: the ack goes with its commit.",
            )
        self._held = held
        self._inner: Transaction = transactions.ending_with(calls.ack(held))

    def __enter__(self) -> Any:
        return self._inner.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        try:
            swallowed = self._inner.__exit__(kind, error, tb)
        except BaseException as failure:
            self._note(failure, of_block=failure is error)
            raise
        self._held.acked = kind is None
        return swallowed

    async def __aenter__(self) -> Any:
        return await self._inner.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        try:
            swallowed = await self._inner.__aexit__(kind, error, tb)
        except BaseException as failure:
            self._note(failure, of_block=failure is error)
            raise
        self._held.acked = kind is None
        return swallowed

    def _note(self, failure: BaseException, *, of_block: bool) -> None:
        if of_block:  # also where the block raised one of these about something else
            return
        if isinstance(failure, StaleReceipt):
            self._held.lost = True
        elif isinstance(failure, InDoubt):
            self._held.in_doubt = True
