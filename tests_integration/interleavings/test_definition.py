"""Drop, purge and create beside sessions that use the queue."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, Queue, create_queue, refused, rows, scalar
from tests_integration.interleavings.conftest import StartBlocked

DROP = "select pgqueue.drop_queue('orders', true)"
PURGE = "select pgqueue.purge_queue('orders')"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("statement", [DROP, PURGE], ids=["drop", "purge"])
def test_open_transaction_makes_it_give_up_without_stalling_senders(
    database: Database, orders: Queue, other: Queue, statement: str
) -> None:
    orders.connection.execute("begin")
    held = orders.send(key="k", **orders.ranked(group_key="g"))
    running = Background(lambda: scalar(database.connect(), statement))
    other.connection.execute("set statement_timeout = '1s'")
    sent = 0
    while running.running:
        other.send(key=f"other{sent}")
        sent += 1
    refused("PQ010", running.result)
    orders.connection.execute("commit")
    assert sent > 50
    assert len(orders.ids()) == sent + 1
    assert held in orders.ids()


@pytest.mark.parametrize(("statement", "answer"), [(DROP, True), (PURGE, 1)], ids=["drop", "purge"])
def test_it_goes_through_when_the_open_transaction_ends(
    database: Database, orders: Queue, statement: str, answer: object
) -> None:
    orders.connection.execute("begin")
    orders.send(key="k")
    running = Background(lambda: scalar(database.connect(), statement))
    assert running.running
    orders.connection.execute("commit")
    assert running.result() == answer


MISSING = {"42P01", "42883", "XX000", "PQ001"}  # XX000: a sequence whose oid was looked up before the wait
VERBS: dict[str, dict[str, Any]] = {
    "send": {"message": {}},
    "send with key": {"message": {}, "key": "k"},
    "send aside": {"message": {}, "priority": 1},
    "send_batch": {"messages": ["{}"]},
    "send_batch with keys": {"messages": ["{}"], "keys": ["k"]},
    "read": {},
    "pop": {},
    "delete": {"msg_id": 1},
    "delete_batch": {"msg_ids": [1]},
    "archive": {"msg_id": 1},
    "archive_batch": {"msg_ids": [1]},
    "release": {"msg_id": 1},
    "release_batch": {"msg_ids": [1]},
    "set_vt": {"msg_id": 1, "vt": "1 s"},
    "set_vt_batch": {"msg_ids": [1], "vt": "1 s"},
    "retry": {"msg_id": 1, "delay": "1 s"},
    "retry_batch": {"msg_ids": [1], "delays": ["1 s"]},
    "bury": {"msg_id": 1, "reason": "x"},
    "bury_batch": {"msg_ids": [1], "reasons": ["x"]},
    "redrive": {},
    "peek": {},
    "metrics": {},
}


@pytest.mark.parametrize("case", VERBS)
@pytest.mark.parametrize("warm", [False, True], ids=["first call", "planned before"])
def test_verb_that_waits_behind_a_drop_finds_the_queue_missing(
    orders: Queue, other: Queue, start_blocked: StartBlocked, case: str, warm: bool
) -> None:
    verb = case.split(" ", maxsplit=1)[0]
    if warm:
        other.rows(verb, **VERBS[case])
    with orders.connection.transaction():
        scalar(orders.connection, DROP)
        waiting = start_blocked(other, lambda q: q.rows(verb, **VERBS[case]))
    with pytest.raises(psycopg.Error) as caught:
        waiting.result()
    assert caught.value.sqlstate in MISSING


@pytest.mark.parametrize("key", [None, "k"])
def test_sender_that_came_between_the_locks_of_a_drop_does_not_deadlock(
    orders: Queue, other: Queue, start_blocked: StartBlocked, key: str | None
) -> None:
    first = (
        "l_orders" if orders.kind == "log" and key is None else "r_orders"
    )  # the table that a send takes first
    with orders.connection.transaction():
        orders.connection.execute(f"lock table pgqueue.{first} in access exclusive mode".encode())
        waiting = start_blocked(other, lambda q: q.send(key=key))
        if first == "l_orders":
            # The sender holds s_ already, and this transaction keeps the table: the drop gives up.
            refused("PQ010", lambda: scalar(orders.connection, DROP))
        else:
            assert scalar(orders.connection, DROP) is True
    if first == "l_orders":
        assert waiting.result() == 1
        return
    with pytest.raises(psycopg.Error) as caught:
        waiting.result()
    assert caught.value.sqlstate in MISSING


def test_observers_of_all_queues_are_not_stalled_while_a_drop_waits(
    orders: Queue, other: Queue, third: Queue, start_blocked: StartBlocked
) -> None:
    orders.connection.execute("begin")
    orders.send()
    running = start_blocked(third, lambda q: scalar(q.connection, DROP))
    other.connection.execute("set statement_timeout = '1s'")
    try:
        rows(other.connection, "select * from pgqueue.messages")
    finally:
        orders.connection.execute("commit")
        assert running.result() is True


def test_messages_that_arrive_while_an_unforced_drop_waits_are_not_lost(
    database: Database, orders: Queue
) -> None:
    orders.connection.execute("begin")
    sent = orders.send()
    running = Background(lambda: scalar(database.connect(), "select pgqueue.drop_queue('orders')"))
    assert running.running
    orders.connection.execute("commit")
    refused("PQ005", running.result)
    assert orders.ids() == [sent]


def test_two_drops_at_once_drop_once(orders: Queue, other: Queue, start_blocked: StartBlocked) -> None:
    with orders.connection.transaction():
        assert scalar(orders.connection, DROP) is True
        second = start_blocked(other, lambda q: scalar(q.connection, DROP))
    assert second.result() is False


def test_create_behind_an_uncommitted_drop_makes_a_fresh_queue(
    orders: Queue, other: Queue, start_blocked: StartBlocked
) -> None:
    last = orders.send()
    with orders.connection.transaction():
        scalar(orders.connection, DROP)
        second = start_blocked(other, lambda q: create_queue(q.connection, "orders", q.kind))
    second.result()
    assert other.send() > last


def test_users_of_other_queues_work_on_while_one_is_being_created(database: Database, orders: Queue) -> None:
    orders.send()
    creator = database.connect()
    with creator.transaction():
        create_queue(creator, "fresh", orders.kind)
        orders.connection.execute("set statement_timeout = '2s'")
        orders.send(key="k")
        assert len(orders.read(qty=5)) == 2
        assert orders.metrics().depth == 2


def test_verbs_go_on_while_queues_come_and_go(database: Database, orders: Queue) -> None:
    def churn(session: psycopg.Connection) -> int:
        for _ in range(6):
            create_queue(session, "fresh", orders.kind)
            Queue(session, "fresh").send()
            scalar(session, "select pgqueue.drop_queue('fresh', true)")
        return 6

    running = Background(lambda: churn(database.connect()))
    done = 0
    while running.running:
        orders.send(key=f"k{done}")
        message = orders.read_one()
        assert orders.call("delete", msg_id=message.msg_id, receipt=message.receipt) == "done"
        assert orders.metrics().depth == 0
        rows(orders.connection, "select * from pgqueue.messages")
        done += 1
    assert running.result() == 6
    assert done > 3
