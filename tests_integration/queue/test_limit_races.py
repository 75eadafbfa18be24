"""Limits under races: real sessions, at once and interleaved by hand."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, Kind, Queue, at_once, create_queue, scalar
from tests_integration.fixtures.waiting import wait_until_blocked

SESSIONS = 6


def sessions(database: Database, kind: Kind, count: int = SESSIONS) -> list[Queue]:
    return [Queue(database.connect(), "orders", "through its clone", kind) for _ in range(count)]


def in_flight(db: psycopg.Connection) -> int:
    count: int = scalar(db, "select in_flight from pgqueue.depth('orders')")
    return count


@pytest.mark.parametrize("limits", [{"max_in_flight": 5}, {"rate_limit": 0.001, "rate_burst": 5}], ids=str)
def test_readers_at_once_never_exceed_the_limit(
    database: Database, db: psycopg.Connection, kind: Kind, limits: dict[str, Any]
) -> None:
    create_queue(db, "orders", kind, **limits)
    readers = sessions(database, kind)
    readers[0].send_many(100)
    ready = threading.Barrier(SESSIONS)

    def read(queue: Queue) -> list[Any]:
        ready.wait(10)
        return [message for _ in range(10) for message in queue.read(qty=2)]

    read_by_all = at_once(*(lambda queue=queue: read(queue) for queue in readers))
    assert sum(map(len, read_by_all)) == 5


def test_readers_that_ack_all_the_time_never_exceed_the_limit_and_never_stop(
    database: Database, db: psycopg.Connection, kind: Kind
) -> None:
    create_queue(db, "orders", kind, max_in_flight=4)
    workers = sessions(database, kind)
    workers[0].send_many(300)
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        with psycopg.connect(database.conninfo, autocommit=True) as connection:
            while not over.is_set():
                seen.append(in_flight(connection))

    def work(queue: Queue) -> int:
        done = 0
        until = time.monotonic() + 30
        while time.monotonic() < until and scalar(queue.connection, "select count(*) from pgqueue.q_orders"):
            if read := queue.read(qty=3):
                ids = [message.msg_id for message in read]
                queue.outcomes("delete_batch", msg_ids=ids, receipts=[read[0].receipt])
                done += len(read)
        return done

    watching = Background(watch)
    done = at_once(*(lambda queue=queue: work(queue) for queue in workers))
    over.set()
    watching.result()
    assert sum(done) == 300
    assert 1 <= max(seen) <= 4


def test_a_reader_waits_for_the_commit_of_the_one_before(
    database: Database, db: psycopg.Connection, kind: Kind
) -> None:
    create_queue(db, "orders", kind, max_in_flight=3)
    first, second = sessions(database, kind, 2)
    first.send_many(10)
    first.connection.execute("begin")
    assert len(first.read(qty=2)) == 2
    waiting = Background(lambda: second.read(qty=10))
    wait_until_blocked(db, second.connection.info.backend_pid)
    first.connection.execute("commit")
    assert len(waiting.result()) == 1


def test_a_reader_in_a_long_transaction_stops_nobody_and_its_leases_are_never_exceeded(
    database: Database, db: psycopg.Connection, kind: Kind
) -> None:
    create_queue(db, "orders", kind, max_in_flight=3)
    first, second = sessions(database, kind, 2)
    first.send_many(10)
    first.connection.execute("begin")
    assert len(first.read(qty=2)) == 2
    begun = time.monotonic()
    assert second.read(qty=10) == []
    assert time.monotonic() - begun < 3
    second.send()
    first.connection.execute("rollback")
    assert len(second.read(qty=10)) == 3


def test_two_readers_of_two_queues_in_turned_order_do_not_kill_each_other(
    database: Database, db: psycopg.Connection, kind: Kind
) -> None:
    for name in ("a", "b"):
        create_queue(db, name, kind, max_in_flight=5)
    one, two = database.connect(), database.connect()
    for connection in (one, two):
        connection.execute("begin")
    for name in ("a", "b"):
        Queue(db, name, kind=kind).send_many(5)
    assert len(Queue(one, "a", kind=kind).read()) == 1
    assert len(Queue(two, "b", kind=kind).read()) == 1
    waiting = Background(lambda: Queue(one, "b", kind=kind).read())
    assert Queue(two, "a", kind=kind).read() == []
    assert waiting.result() == []
    for connection in (one, two):
        connection.execute("commit")


def test_identities_are_never_exceeded_by_readers_at_once(database: Database, db: psycopg.Connection) -> None:
    create_queue(db, "orders", "row", max_in_flight_per_key=2)
    db.execute(
        "select pgqueue.send('orders', '{}', headers => jsonb_build_object('pgqueue-key', mod(g, 5)::text))"
        " from generate_series(1, 200) g"
    )
    readers = sessions(database, "row")
    read_by_all = at_once(
        *(lambda queue=queue: [m for _ in range(10) for m in queue.read(qty=3)] for queue in readers)
    )
    keys = sorted(message.headers["pgqueue-key"] for read in read_by_all for message in read)
    assert keys == [str(key) for key in range(5) for _ in range(2)]


def test_pausing_while_all_read_loses_nothing(database: Database, db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    readers = sessions(database, kind, 4)
    sent = readers[0].send_many(400)
    over = threading.Event()

    def read(queue: Queue) -> list[int]:
        found: list[int] = []
        while not over.is_set():
            found += [message.msg_id for message in queue.read(qty=5)]
        return found

    running = [Background(functools.partial(read, queue)) for queue in readers]
    for _ in range(4):
        db.execute("select pgqueue.pause_queue('orders', 'why')")
        db.execute("select pgqueue.resume_queue('orders')")
    until = time.monotonic() + 20
    while scalar(db, "select ready from pgqueue.depth('orders')") and time.monotonic() < until:
        pass
    over.set()
    found = [msg_id for call in running for msg_id in call.result()]
    assert sorted(found) == sent
