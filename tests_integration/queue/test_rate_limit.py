"""Messages a second, whoever reads: a bucket that fills at that rate."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Kind, Queue, configure_queue, create_queue


@pytest.fixture
def mails(db: psycopg.Connection, kind: Kind, clock: Clock) -> Queue:
    """Ten a second, five at once; 200 messages wait."""
    create_queue(db, "orders", kind, rate_limit=10, rate_burst=5)
    queue = Queue(db, kind=kind)
    queue.send_many(200)
    return queue


def taken(queue: Queue, qty: int = 100, verb: str = "read") -> int:
    return len(queue.rows(verb, qty=qty))


@pytest.mark.parametrize("verb", ["read", "pop"])
def test_the_burst_comes_at_once_and_then_what_the_rate_brings(mails: Queue, clock: Clock, verb: str) -> None:
    assert taken(mails, verb=verb) == 5
    assert taken(mails, verb=verb) == 0
    clock.advance(0.1)
    assert taken(mails, verb=verb) == 1
    clock.advance(0.099)
    assert taken(mails, verb=verb) == 0
    clock.advance(0.001)
    assert taken(mails, verb=verb) == 1
    clock.advance(100)
    assert taken(mails, verb=verb) == 5, "no more is saved up than the burst"


@pytest.mark.parametrize("step", [0.013, 0.05, 0.1, 0.33, 0.5])
def test_over_time_it_is_the_rate_however_often_one_asks(mails: Queue, clock: Clock, step: float) -> None:
    got, passed = 0, 0.0
    while passed < 10:
        got += taken(mails)
        clock.advance(step)
        passed += step
        assert got <= 5 + 10 * passed
    assert got >= 5 + 10 * (passed - step) - 1


def test_fewer_than_asked_for_leave_the_rest_in_the_bucket(mails: Queue) -> None:
    assert [taken(mails, 2), taken(mails, 2), taken(mails, 2)] == [2, 2, 1]


def test_what_an_empty_queue_does_not_give_is_not_spent(mails: Queue, db: psycopg.Connection) -> None:
    db.execute("select pgqueue.purge_queue('orders')")
    for _ in range(10):
        assert taken(mails) == 0
    mails.send_many(10)
    assert taken(mails) == 5


def test_redeliveries_count_too(mails: Queue, clock: Clock) -> None:
    assert taken(mails) == 5
    clock.advance(31)
    assert [taken(mails, 2), taken(mails), taken(mails)] == [2, 3, 0], "each counts once"
    clock.advance(0.2)
    assert taken(mails) == 2


@pytest.mark.parametrize("verb", ["read", "pop"])
def test_what_stands_on_the_row_side_of_a_log_counts_once_too(mails: Queue, verb: str) -> None:
    for _ in range(10):
        mails.send(priority=1)
    assert [taken(mails, 2, verb), taken(mails, 100, verb), taken(mails, 100, verb)] == [2, 3, 0]


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (1, 1), (2.5, 3), (100, 100)])
def test_the_burst_that_is_not_given_is_one_seconds_worth(
    db: psycopg.Connection, kind: Kind, clock: Clock, rate: float, burst: int
) -> None:
    create_queue(db, "orders", kind, rate_limit=rate)
    queue = Queue(db, kind=kind)
    queue.send_many(200)
    assert taken(queue, 1000) == burst
    clock.advance(1 / rate)
    assert taken(queue, 1000) == 1


def test_a_changed_rate_holds_at_once_and_an_old_debt_is_never_longer_than_a_bucket(
    mails: Queue, db: psycopg.Connection, clock: Clock
) -> None:
    configure_queue(db, "orders", rate_limit=0.001, rate_burst=100)
    assert taken(mails) == 100
    configure_queue(db, "orders", rate_limit=10, rate_burst=5)
    assert taken(mails) == 0
    clock.advance(0.5)
    assert taken(mails) == 5
    configure_queue(db, "orders", rate_limit=0)
    assert taken(mails) == 95


def test_a_clock_that_is_set_back_stops_nothing_for_long(mails: Queue, clock: Clock) -> None:
    assert taken(mails) == 5
    clock.set(START - timedelta(days=30))
    mails.send_many(10)
    assert taken(mails) == 0
    clock.advance(0.5)
    assert taken(mails) == 5


def test_a_rolled_back_read_has_been_counted(mails: Queue, db: psycopg.Connection) -> None:
    db.execute("begin")
    assert taken(mails, 3) == 3
    db.execute("rollback")
    assert taken(mails) == 2


def test_filters_groups_and_priorities_count_like_all_else(db: psycopg.Connection, clock: Clock) -> None:
    create_queue(db, "orders", "row", rate_limit=10, rate_burst=5)
    queue = Queue(db)
    for n in range(10):
        queue.send({"n": n % 2}, priority=n % 3, group_key=f"g{n}")
    assert len(queue.read(qty=100, filter={"n": 1})) == 5
    assert queue.read(qty=100) == []


def test_a_reader_by_name_and_one_through_the_pooler_share_the_bucket(
    mails: Queue, database: Database
) -> None:
    pooled = Queue(database.connect_pooled(), "orders", "through PgBouncer", mails.kind)
    assert taken(mails, 3) + taken(pooled) + taken(mails) == 5


def test_nobody_is_to_ring_while_the_bucket_is_empty(mails: Queue, clock: Clock) -> None:
    assert taken(mails) == 5
    assert mails.rows("read_or_await", wait="1 min") == []
    assert mails.call("is_awaited") is False
