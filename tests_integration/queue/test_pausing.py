"""A paused queue hands out nothing, whoever asks; everything else goes on."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    WAYS,
    Kind,
    Queue,
    Way,
    configure_queue,
    create_queue,
    refused,
    rows,
    scalar,
)

PAUSED = "select paused_by, pause_reason, paused_at, paused_until from pgqueue.queues where queue = 'orders'"


def pause(db: psycopg.Connection, until: object = None, why: str | None = "mails are down") -> None:
    db.execute("select pgqueue.pause_queue('orders', %s, %s)", [why, until])


def resume(db: psycopg.Connection) -> bool:
    resumed: bool = scalar(db, "select pgqueue.resume_queue('orders')")
    return resumed


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_handed_out_until_it_is_resumed(
    database: Database, db: psycopg.Connection, kind: Kind, way: Way
) -> None:
    create_queue(db, "orders", kind)
    session = database.connect_pooled() if way == "through PgBouncer" else database.connect()
    queue = Queue(session, "orders", way, kind)
    sent = [queue.send(), queue.send(), queue.send()]
    assert queue.read_one().msg_id == sent[0]
    pause(db)
    assert queue.read(qty=10) == []
    assert queue.rows("pop", qty=10) == []
    assert queue.rows("read_or_await", wait="1 s") == []
    assert resume(db) is True
    assert [message.msg_id for message in queue.read(qty=10)] == sent[1:]


def test_what_is_neither_read_nor_pop_goes_on(db: psycopg.Connection, orders: Queue) -> None:
    orders.send_many(6)
    read = orders.read(qty=6)
    ids = [message.msg_id for message in read]
    receipt = read[0].receipt
    pause(db)
    later = orders.send()
    assert orders.call("delete", msg_id=ids[0], receipt=receipt) == "done"
    assert orders.call("archive", msg_id=ids[1], receipt=receipt) == "done"
    assert orders.call("set_vt", msg_id=ids[2], vt="1 min", receipt=receipt) == "done"
    assert orders.call("retry", msg_id=ids[3], delay="0 s", receipt=receipt) == "done"
    assert orders.call("release", msg_id=ids[4], receipt=receipt) == "done"
    assert orders.call("bury", msg_id=ids[5], reason="x", receipt=receipt) == "done"
    scalar(db, "select pgqueue.redrive('orders')::text")
    orders.rows("maintain")
    assert orders.read(qty=10) == []
    resume(db)
    assert {message.msg_id for message in orders.read(qty=10)} >= {ids[3], ids[4], later}


def test_leases_that_run_out_wait_and_nothing_is_counted(
    db: psycopg.Connection, orders: Queue, clock: Clock
) -> None:
    orders.send()
    orders.read_one()
    clock.advance(31)
    pause(db)
    for _ in range(20):
        assert orders.read() == []
    assert orders.dead() == []
    resume(db)
    assert orders.read_one().read_ct == 2


def test_a_timed_pause_is_over_to_the_instant(db: psycopg.Connection, orders: Queue, clock: Clock) -> None:
    orders.send()
    pause(db, START + timedelta(seconds=60))
    clock.set(START + timedelta(seconds=60) - timedelta(microseconds=1))
    assert orders.read() == []
    assert rows(db, PAUSED)[0].paused_until == START + timedelta(seconds=60)
    clock.set(START + timedelta(seconds=60))
    assert len(orders.read()) == 1
    assert rows(db, PAUSED) == [(None, None, None, None)]
    assert resume(db) is False


def test_who_why_since_when_and_until_when_are_shown(
    db: psycopg.Connection, orders: Queue, clock: Clock
) -> None:
    assert rows(db, PAUSED) == [(None, None, None, None)]
    pause(db)
    who = scalar(db, "select session_user::text")
    assert rows(db, PAUSED) == [(who, "mails are down", START, None)]
    clock.advance(5)
    until = START + timedelta(hours=1)
    pause(db, until, "a new reason\x07")
    assert rows(db, PAUSED) == [(who, "a new reason", START + timedelta(seconds=5), until)]
    assert orders.metrics().paused_by == who
    assert [tuple(row) for row in rows(db, "select * from pgqueue.pause_of('orders')")] == [
        (START + timedelta(seconds=5), who, "a new reason", until)
    ]
    resume(db)
    assert rows(db, PAUSED) == [(None, None, None, None)]


def test_a_pause_outlives_changed_settings_and_an_upgrade(db: psycopg.Connection, orders: Queue) -> None:
    orders.send()
    pause(db)
    configure_queue(db, "orders", vt=7)
    assert orders.read() == []
    db.execute("select pgqueue.refresh_clones('orders')")
    assert orders.read() == []
    resume(db)
    assert len(orders.read()) == 1


def test_a_pause_that_is_rolled_back_never_was(db: psycopg.Connection, orders: Queue) -> None:
    orders.send()
    db.execute("begin")
    pause(db)
    db.execute("rollback")
    assert len(orders.read()) == 1


def test_a_dropped_queue_leaves_no_pause_to_its_successor(
    db: psycopg.Connection, orders: Queue, kind: Kind
) -> None:
    pause(db)
    scalar(db, "select pgqueue.drop_queue('orders')")
    assert rows(db, "select * from pgqueue.paused_queue") == []
    create_queue(db, "orders", kind)
    orders.send()
    assert len(orders.read()) == 1


def test_other_queues_are_not_paused(db: psycopg.Connection, orders: Queue, kind: Kind) -> None:
    create_queue(db, "mails", kind)
    pause(db)
    mails = Queue(db, "mails", kind=kind)
    mails.send()
    assert len(mails.read()) == 1


def test_nobody_is_to_ring_for_a_paused_queue_and_the_end_wakes_those_who_listen(
    database: Database, db: psycopg.Connection, orders: Queue
) -> None:
    listener = database.connect()
    listener.execute("listen pgqueue_orders")
    pause(db)
    orders.rows("read_or_await", wait="10 min")
    assert orders.call("is_awaited") is False
    resume(db)
    assert len(list(listener.notifies(timeout=5, stop_after=1))) == 1
    orders.rows("read_or_await", wait="10 min")
    assert orders.call("is_awaited") is True


def test_what_is_paused_for_good_is_resumed_once(db: psycopg.Connection, orders: Queue) -> None:
    assert resume(db) is False
    pause(db)
    assert resume(db) is True
    assert resume(db) is False


@pytest.mark.parametrize("why", [None, "", " \n"])
def test_a_reason_is_needed(db: psycopg.Connection, orders: Queue, why: str | None) -> None:
    orders.send()
    assert refused("PQ002", lambda: pause(db, why=why)).diag.message_hint
    assert len(orders.read()) == 1


@pytest.mark.parametrize("until", [START, START - timedelta(days=1), "infinity", "-infinity"])
def test_an_end_that_is_past_or_none_is_refused(
    db: psycopg.Connection, orders: Queue, clock: Clock, until: object
) -> None:
    orders.send()
    refused("PQ002", lambda: pause(db, until))
    assert len(orders.read()) == 1


def test_an_unknown_queue_is_refused(db: psycopg.Connection) -> None:
    refused("PQ001", lambda: pause(db))
    refused("PQ001", lambda: resume(db))


@pytest.mark.parametrize("role", ["producer", "consumer", "observer", "operator"])
def test_only_an_operator_pauses_and_who_it_was_is_the_role_that_logged_in(
    database: Database, db: psycopg.Connection, orders: Queue, role: str
) -> None:
    session = database.connect()
    session.execute(f"set session authorization pgqueue_{role}".encode())
    if role == "operator":
        pause(session)
        assert rows(session, PAUSED)[0].paused_by == "pgqueue_operator"
        assert resume(session) is True
        return
    refused("42501", lambda: pause(session))
    pause(db)
    refused("42501", lambda: resume(session))
    refused("42501", lambda: session.execute("delete from pgqueue.paused_queue"))
    if role != "producer":
        assert scalar(session, "select reason from pgqueue.pause_of('orders')") == "mails are down"


def test_a_queue_that_is_not_paused_asks_no_gate(db: psycopg.Connection, kind: Kind) -> None:
    """What a pause costs where there is none: nothing but a constant that is looked at."""
    create_queue(db, "orders", kind)
    queue = Queue(db, "orders", "through its clone", kind)
    queue.send_many(5)
    db.execute("drop function pgqueue.gate__orders, pgqueue.spend__orders")
    assert len(queue.read()) == 1
    assert len(queue.rows("pop")) == 1
    assert len(queue.read(qty=10)) == 3
    assert queue.rows("read_or_await", wait="1 s") == []
    pause(db)  # makes them anew
    assert queue.read() == []
