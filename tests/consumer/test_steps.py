"""`ctx.once`: what is asked of the database, and what is refused before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.consumer.model import Doors
from pgqueue.consumer.transaction import HeldLease
from pgqueue.errors import ClientMisuse, InDoubt, InvalidInput, StaleReceipt
from pgqueue.message.calls import begin_step
from tests.consumer.conftest import AsyncScript, Clock, SyncScript, held


class Opening:
    """Transactions that begin with a call whose answer the test gives."""

    def __init__(self, answer: str = "first", end: BaseException | None = None) -> None:
        self.answer, self.end = answer, end
        self.first: Call[bool]

    def beginning_with(self, first: Call[bool]) -> Opening:
        self.first = first
        return self

    def ending_with(self, last: Callable[[], Call[Any]]) -> Opening:
        self.first = Call(last().name, "", (), lambda _: True)
        return self

    def __enter__(self) -> str | None:
        return "connection" if self.first.parse([(self.answer,)]) else None

    def __exit__(self, kind: object, error: object, tb: object) -> None:
        if kind is None and self.end is not None:
            raise self.end

    async def __aenter__(self) -> str | None:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, tb: object) -> None:
        self.__exit__(kind, error, tb)


def lease(transactions: Opening) -> HeldLease:
    return HeldLease(held(), Doors(AsyncScript(), lambda _: SyncScript(), transactions), Clock())


@pytest.mark.parametrize(("answer", "given"), [("first", "connection"), ("again", None)])
async def test_a_step_gives_a_connection_the_first_time_and_none_from_then_on(
    answer: str, given: str | None
) -> None:
    opening = Opening(answer)
    asked = lease(opening)
    with asked.step("mail") as connection:
        assert connection == given
    async with asked.step("mail") as connection:
        assert connection == given
    assert opening.first.params == (1, 1001, "mail")


@pytest.mark.parametrize("answer", ["stale", "gone"])
def test_a_step_of_a_lost_lease_is_refused(answer: str) -> None:
    asked = lease(Opening(answer))
    with pytest.raises(StaleReceipt, match=answer):
        with asked.step("mail"):
            raise AssertionError("must not run")
    with asked.transaction():
        pass  # the failed step is no open block


def test_a_step_that_failed_is_neither_an_ack_nor_a_lost_lease() -> None:
    transactions = Opening(end=InDoubt("commit"))
    asked = lease(transactions)
    with pytest.raises(InDoubt):
        with asked.step("mail"):
            pass
    transactions.end = None
    with asked.step("mail"):
        pass
    assert asked.still_mine()


def test_one_transaction_at_a_time() -> None:
    asked = lease(Opening())
    with asked.transaction(), pytest.raises(ClientMisuse, match="open already"), asked.step("mail"):
        pass
    asked = lease(Opening())
    with asked.step("a"), pytest.raises(ClientMisuse, match="open already"), asked.step("b"):
        pass


@pytest.mark.parametrize("name", ["", "x" * 256, "a\x00", "\ud800", 7])
def test_a_step_has_a_name_of_1_to_255_bytes(name: Any) -> None:
    with pytest.raises(InvalidInput):
        begin_step("orders", 1, 1, name)


def test_a_step_without_a_name_or_a_receipt_is_refused() -> None:
    for bad in (("orders", 1, 1, None), ("orders", 1, None, "mail")):
        with pytest.raises(InvalidInput):
            begin_step(*bad)
