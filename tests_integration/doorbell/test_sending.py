"""A sender rings when somebody waits: after its commit, in a transaction of its own, and never at the cost of the send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pgqueue.call import Call
from pgqueue.client.doors import work_door
from pgqueue.db import hints
from pgqueue.db.runner import AsyncConnectionRunner, ConnectionRunner
from pgqueue.db.transaction import Transactions
from pgqueue.message import calls
from tests_integration.db.faults import Events, OpenRunner
from tests_integration.doorbell.ears import Ears, is_awaited, record_rings, recorded, wait_for_message
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.verbs import Queue

SENDS: dict[str, Callable[..., Call[Any]]] = {
    "send": lambda **options: calls.send("orders", {"n": 1}, **options),
    "send_batch": lambda **options: calls.send_batch("orders", [{"n": 1}], **options),
}
send_ways = pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
Send = Callable[..., Call[Any]]


@send_ways
def test_nobody_waits_and_nothing_rings(
    send: Send, door: Door, orders: Queue, open_runner: OpenRunner
) -> None:
    record_rings(orders.connection)
    runner = open_runner(door.conninfo)
    assert runner.run(send()) in (1, [1])
    assert recorded(orders.connection) == []


@send_ways
def test_somebody_waits_and_the_ring_follows_the_commit_in_an_asynchronous_transaction_of_its_own(
    send: Send, door: Door, orders: Queue, open_runner: OpenRunner
) -> None:
    record_rings(orders.connection)
    wait_for_message(orders)
    runner = open_runner(door.conninfo, async_commit=False)
    assert runner.run(send()) in (1, [1])
    assert recorded(orders.connection) == [("off", True, 1)]


@send_ways
def test_of_many_senders_the_first_rings_until_somebody_waits_again(
    send: Send, door: Door, orders: Queue, ears: Ears, open_runner: OpenRunner
) -> None:
    runner = open_runner(door.conninfo)
    for _ in range(3):
        wait_for_message(orders)
        for _ in range(5):
            runner.run(send())
        assert ears.heard() == 1
        orders.rows("pop", qty=100)


def test_ids_of_a_batch_are_as_ever_when_somebody_waits(orders: Queue, open_runner: OpenRunner) -> None:
    runner = open_runner(orders.connection.info.dsn, max_connections=1)
    wait_for_message(orders)
    batch = calls.send_batch("orders", [1, 2, 3], keys=["a", "b", "a"])
    first = runner.run(batch)
    wait_for_message(orders)
    assert runner.run(batch) == first
    assert first[0] == first[2] != first[1]


@send_ways
def test_a_delayed_send_wakes_nobody(
    send: Send, orders: Queue, ears: Ears, door: Door, open_runner: OpenRunner
) -> None:
    wait_for_message(orders)
    open_runner(door.conninfo).run(send(delay=60))
    assert ears.heard() == 0
    assert is_awaited(orders)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise exception 'the bell is broken'", "the bell is broken"),
        ("perform pg_terminate_backend(pg_backend_pid()); return true", "AdminShutdown"),
        ("perform pg_sleep(60); return true", "no answer in time"),
    ],
    ids=["raises", "dies", "hangs"],
)
def test_a_ring_that_fails_leaves_the_send_as_it_is(
    body: str,
    said: str,
    door: Door,
    orders: Queue,
    open_runner: OpenRunner,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hints, "HINT_SECONDS", 0.3)
    broken = "create or replace function pgqueue.ring__orders() returns boolean language plpgsql as $$ begin %s; end $$"
    orders.connection.execute((broken % body).encode())
    runner = open_runner(door.conninfo, max_connections=1)
    wait_for_message(orders)
    assert runner.run(calls.send("orders", 1)) == 1
    (failed,) = events.named("ring.failed")
    assert failed["queue"] == "orders"
    assert said in failed["error"]
    orders.rows("pop")
    orders.connection.execute("select setval('pgqueue.w_orders', 0)")
    assert runner.run(calls.send("orders", 2)) == 2
    assert orders.ids() == [2]


@send_ways
@pytest.mark.parametrize("autocommit", [True, False])
def test_on_the_callers_connection_nothing_rings(
    autocommit: bool, send: Send, door: Door, orders: Queue, ears: Ears
) -> None:
    wait_for_message(orders)
    caller = door.connect(autocommit=autocommit, prepare_threshold=None)
    ConnectionRunner(caller).run(send())
    caller.commit()
    assert ears.heard() == 0
    assert is_awaited(orders)
    assert orders.ids() == [1]


@pytest.mark.parametrize("mode", ["with", "async with"])
@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_our_own_transaction_rings_after_its_commit_once_a_queue(
    mode: str, ends: str, door: Door, db: psycopg.Connection, orders: Queue, open_transactions: Any
) -> None:
    """Also for somebody who only began to wait while it was open."""
    record_rings(db)

    def broken(rows: list[Any]) -> None:
        if ends == "rollback":
            raise RuntimeError("the last call failed")

    block = open_transactions(door.conninfo, Call("test.last", "select 1", (), broken), mode)
    try:
        block(
            lambda: [calls.send("orders", n) for n in range(3)],
            lambda: wait_for_message(orders),
        )
    except RuntimeError:
        assert ends == "rollback"
    assert recorded(db) == ([("off", True, 3)] if ends == "commit" else [])


@pytest.fixture
def open_transactions() -> Callable[..., Any]:
    """Make a block of ours that runs calls, then something else, then commits; in both ways of writing it."""

    def prepare(conninfo: str, last: Call[Any], mode: str) -> Callable[..., None]:
        def block(sends: Callable[[], list[Call[Any]]], meanwhile: Callable[[], object]) -> None:
            asyncio.run(_run(Transactions(work_door(conninfo, {}), 1), last, mode, sends(), meanwhile))

        return block

    return prepare


async def _run(
    transactions: Transactions,
    last: Call[Any],
    mode: str,
    sends: list[Call[Any]],
    meanwhile: Callable[[], object],
) -> None:
    try:
        if mode == "with":
            with transactions.ending_with(last) as connection:
                assert connection is not None
                for call in sends:
                    ConnectionRunner(connection).run(call)
                meanwhile()
        else:
            async with transactions.ending_with(last) as connection:
                assert connection is not None
                for call in sends:
                    await AsyncConnectionRunner(connection).run(call)
                meanwhile()
    finally:
        await transactions.close()


def test_who_begins_to_wait_while_a_send_is_under_way_is_not_rung_for(
    database: Database, orders: Queue, ears: Ears
) -> None:
    """The gap that the second look of a waiter is for; without one the next poll finds the message."""
    sender = database.connect(autocommit=False)
    ConnectionRunner(sender).run(calls.send("orders", 1))
    assert wait_for_message(orders) == []
    sender.commit()
    assert ears.heard() == 0
    assert [message.msg_id for message in wait_for_message(orders)] == [1]
