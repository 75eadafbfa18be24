"""A transaction of a handler on a link that has died, but that TCP takes for alive."""

from __future__ import annotations

import asyncio
import time

import pytest

from pgqueue.client.doors import work_door
from pgqueue.db import transaction
from pgqueue.db.transaction import Transactions
from pgqueue.message import calls
from tests_integration.db.fault_proxy import FaultProxy
from tests_integration.db.faults import QUEUE
from tests_integration.fixtures.database import Database


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_block_that_raises_on_a_dead_link_is_left_in_time(
    database: Database, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """F31: the rollback has a deadline too."""
    monkeypatch.setattr(transaction, "STEP_TIMEOUT", 0.5)
    transactions = Transactions(work_door(proxy.conninfo(database.conninfo), {}), 1)

    def in_block() -> float:
        with transactions.ending_with(calls.send(QUEUE, 1)) as connection:
            assert connection
            connection.execute("select 1")
            proxy.black_hole()
            raise ZeroDivisionError

    async def in_async_block() -> None:
        async with transactions.ending_with(calls.send(QUEUE, 1)) as connection:
            assert connection
            await connection.execute("select 1")
            proxy.black_hole()
            raise ZeroDivisionError

    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        in_block() if way == "sync" else asyncio.run(in_async_block())
    assert time.monotonic() - began < 5
    asyncio.run(transactions.close())
