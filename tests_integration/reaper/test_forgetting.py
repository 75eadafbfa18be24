"""What is kept no longer goes, in bounded steps; everything else stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    KINDS,
    Kind,
    Queue,
    at_once,
    configure_queue,
    create_queue,
    refused,
    scalar,
)

WEEK = 604_800


@pytest.fixture(params=KINDS)
def queue(request: pytest.FixtureRequest, db: psycopg.Connection, clock: Clock) -> Queue:
    kind: Kind = request.param
    create_queue(db, "orders", kind)
    return Queue(db, "orders", "through its clone", kind)


def forget(db: psycopg.Connection, qty: int = 1000) -> int:
    gone: int = scalar(db, "select pgqueue.forget_finished('orders', %s)", qty)
    return gone


def archive(queue: Queue, count: int) -> None:
    queue.send_many(count)
    for message in queue.read(qty=count):
        queue.call("archive", msg_id=message.msg_id, receipt=message.receipt)


def bury(queue: Queue, count: int) -> list[int]:
    queue.send_many(count)
    messages = queue.read(qty=count)
    for message in messages:
        queue.call("bury", msg_id=message.msg_id, reason="no", receipt=message.receipt)
    return sorted(message.msg_id for message in messages)


def kept(db: psycopg.Connection, letter: str) -> int:
    count: int = scalar(db, f"select count(*) from pgqueue.{letter}_orders")
    return count


def test_the_archive_keeps_a_message_for_retention(
    queue: Queue, db: psycopg.Connection, clock: Clock
) -> None:
    archive(queue, 3)
    clock.advance(WEEK - 1)
    archive(queue, 2)
    assert forget(db) == 0
    clock.advance(1)
    assert forget(db) == 3
    assert kept(db, "a") == 2


def test_an_archive_with_retention_0_is_kept_for_ever(
    queue: Queue, db: psycopg.Connection, clock: Clock
) -> None:
    configure_queue(db, "orders", retention=0)
    archive(queue, 3)
    clock.advance(100 * WEEK)
    assert forget(db) == 0


def test_dead_letters_are_kept_for_ever_unless_said_otherwise(
    queue: Queue, db: psycopg.Connection, clock: Clock
) -> None:
    bury(queue, 3)
    clock.advance(1000 * WEEK)
    assert forget(db) == 0
    configure_queue(db, "orders", dead_retention=WEEK)
    assert forget(db) == 3
    assert kept(db, "d") == 0


def test_a_dead_letter_that_was_sent_again_is_kept_from_then_on(
    queue: Queue, db: psycopg.Connection, clock: Clock
) -> None:
    configure_queue(db, "orders", dead_retention=WEEK)
    first, _ = bury(queue, 2)
    clock.advance(WEEK - 1)
    queue.rows("redrive", msg_ids=[first])
    clock.advance(1)
    assert forget(db) == 1
    assert [letter.msg_id for letter in queue.dead()] == [first]
    clock.advance(WEEK)
    assert forget(db) == 1


def test_old_idempotency_keys_go_also_where_nothing_is_sent_any_more(
    queue: Queue, db: psycopg.Connection, clock: Clock
) -> None:
    for key in "abc":
        queue.send(key=key)
    clock.advance(86_400 - 1)
    queue.send(key="d")
    assert forget(db) == 0
    clock.advance(1)
    assert forget(db) == 3
    assert kept(db, "k") == 1


def test_what_waits_or_runs_is_left_alone(queue: Queue, db: psycopg.Connection, clock: Clock) -> None:
    queue.send_many(3)
    queue.read(qty=1)
    clock.advance(1000 * WEEK)
    assert forget(db) == 0
    assert len(queue.ids()) == 3


def test_a_step_is_bounded(queue: Queue, db: psycopg.Connection, clock: Clock) -> None:
    archive(queue, 25)
    clock.advance(WEEK)
    assert [forget(db, 10) for _ in range(4)] == [10, 10, 5, 0]


def test_the_oldest_goes_first(queue: Queue, db: psycopg.Connection, clock: Clock) -> None:
    archive(queue, 2)
    clock.advance(10)
    archive(queue, 2)
    newest = scalar(db, "select max(archived_at) from pgqueue.a_orders")
    clock.advance(WEEK)
    forget(db, 2)
    assert scalar(db, "select min(archived_at) from pgqueue.a_orders") == newest


def test_five_that_forget_at_once_count_each_row_once(
    queue: Queue, db: psycopg.Connection, database: Database, clock: Clock
) -> None:
    """F54: counters match."""
    archive(queue, 500)
    clock.advance(WEEK)

    def all_of_it(connection: psycopg.Connection) -> int:
        total, idle = 0, 0
        while idle < 2:
            gone = forget(connection, 7)
            total, idle = total + gone, idle + (gone == 0)
        return total

    connections = [database.connect() for _ in range(5)]
    counted = at_once(*(partial(all_of_it, connection) for connection in connections))
    assert sum(counted) == 500
    assert kept(db, "a") == 0


def test_a_row_that_somebody_holds_is_left_for_the_next_time(
    queue: Queue, db: psycopg.Connection, database: Database, clock: Clock
) -> None:
    configure_queue(db, "orders", dead_retention=WEEK)
    first, _ = bury(queue, 2)
    clock.advance(WEEK)
    other = database.connect()
    with other.transaction():
        other.execute("select from pgqueue.d_orders where msg_id = %s for update", [first])
        assert forget(db) == 1
    assert forget(db) == 1


def test_a_dead_letter_that_is_sent_again_at_the_same_moment_is_not_removed(
    queue: Queue, db: psycopg.Connection, database: Database, clock: Clock
) -> None:
    configure_queue(db, "orders", dead_retention=WEEK)
    (only,) = bury(queue, 1)
    clock.advance(WEEK)
    other = queue.on(database.connect())
    with other.connection.transaction():
        other.rows("redrive", msg_ids=[only])
        assert forget(db) == 0
    assert forget(db) == 0
    assert [letter.msg_id for letter in queue.dead()] == [only]


@pytest.mark.parametrize("qty", [0, -1, 10_001, None])
def test_an_impossible_qty_is_refused(queue: Queue, db: psycopg.Connection, qty: Any) -> None:
    refused("PQ002", lambda: forget(db, qty))


def test_a_queue_that_is_gone_says_so(db: psycopg.Connection) -> None:
    refused("PQ001", lambda: forget(db))


def test_a_step_uses_the_indexes_of_tables_that_nobody_analysed(
    queue: Queue, db: psycopg.Connection, database: Database, clock: Clock
) -> None:
    configure_queue(db, "orders", dead_retention=WEEK, key_window=60)
    archive(queue, 5)
    bury(queue, 5)
    queue.send(key="a")
    clock.advance(WEEK)
    scans: Callable[[], dict[str, int]] = lambda: dict(  # noqa: E731
        db.execute(
            "select relname, seq_scan from pg_stat_user_tables where relname = any (%s)",
            [["a_orders", "d_orders", "k_orders"]],
        ).fetchall()
    )
    db.execute("select pg_stat_force_next_flush()")
    before = scans()
    assert forget(db) == 11
    db.execute("select pg_stat_force_next_flush()")
    assert scans() == before
