"""How many messages may be leased at once: counted from the leases, so that nothing leaks."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Kind, Queue, configure_queue, create_queue, refused, rows, scalar


@pytest.fixture
def few(db: psycopg.Connection, kind: Kind) -> Queue:
    """Make a queue of which three messages may be in flight, and send ten."""
    create_queue(db, "orders", kind, max_in_flight=3)
    queue = Queue(db, kind=kind)
    queue.send_many(10)
    return queue


def test_no_more_are_handed_out_than_may_be_in_flight(few: Queue) -> None:
    assert len(few.read(qty=2)) == 2
    assert len(few.read(qty=10)) == 1
    assert few.read(qty=10) == []
    assert few.metrics().in_flight == 3


@pytest.mark.parametrize("end", ["delete", "archive", "release", "retry", "bury", "delete_batch"])
def test_each_end_of_a_lease_makes_room_for_one(few: Queue, end: str) -> None:
    first, *_ = few.read(qty=3)
    proof = {"receipt": first.receipt}
    match end:
        case "retry":
            few.call("retry", msg_id=first.msg_id, delay="1 hour", **proof)
        case "bury":
            few.call("bury", msg_id=first.msg_id, reason="x", **proof)
        case "delete_batch":
            few.outcomes("delete_batch", msg_ids=[first.msg_id], receipts=[first.receipt])
        case _:
            few.call(end, msg_id=first.msg_id, **proof)
    assert len(few.read(qty=10)) == 1
    assert few.read(qty=10) == []


def test_acks_in_pieces_make_room_in_pieces(few: Queue) -> None:
    """On a log one claim covers all three."""
    read = few.read(qty=3)
    for message in reversed(read):
        few.call("delete", msg_id=message.msg_id, receipt=message.receipt)
        (another,) = few.read(qty=10)
        assert another.msg_id > read[-1].msg_id


def test_a_lease_that_ran_out_does_not_count(few: Queue, clock: Clock) -> None:
    few.read(qty=3)
    clock.advance(29)
    assert few.read(qty=10) == []
    clock.advance(2)
    assert len(few.read(qty=10)) == 3
    assert few.read(qty=10) == []


def test_a_renewed_lease_counts_on(few: Queue, clock: Clock) -> None:
    first, *_ = few.read(qty=3)
    few.call("set_vt", msg_id=first.msg_id, vt="10 min", receipt=first.receipt)
    clock.advance(31)
    assert len(few.read(qty=10)) == 2
    assert few.metrics().in_flight == 3


def test_a_session_that_dies_before_its_commit_leaks_nothing(few: Queue, database: Database) -> None:
    reader = database.connect()
    reader.execute("begin")
    assert len(few.on(reader).read(qty=3)) == 3
    few.connection.execute("select pg_terminate_backend(%s)", [reader.info.backend_pid])
    assert len(few.read(qty=10)) == 3
    assert few.read(qty=10) == []


def test_what_is_delayed_retried_or_dead_is_not_in_flight(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind, max_in_flight=3)
    queue = Queue(db, kind=kind)
    queue.send_many(5, delay="1 hour")
    ids = queue.send_many(4)
    for _ in range(2):
        (message,) = queue.read()
        queue.call("retry", msg_id=message.msg_id, delay="1 hour", receipt=message.receipt)
    queue.call("bury", msg_id=ids[2], reason="x")
    queue.send_many(5)
    assert len(queue.read(qty=10)) == 3


def test_a_limit_that_is_set_lowered_and_lifted_holds_at_once(db: psycopg.Connection, orders: Queue) -> None:
    orders.send_many(20)
    assert len(orders.read(qty=4)) == 4
    configure_queue(db, "orders", max_in_flight=6)
    assert len(orders.read(qty=10)) == 2
    configure_queue(db, "orders", max_in_flight=2)
    assert orders.read(qty=10) == []
    configure_queue(db, "orders", max_in_flight=0)
    assert len(orders.read(qty=20)) == 14


def test_the_index_that_a_limit_needs_comes_and_goes_with_it(db: psycopg.Connection, orders: Queue) -> None:
    extra = "select relname from pg_class where relname ~ '^ix_r_orders_(leased|held|key)$' order by 1"
    assert rows(db, extra) == []
    configure_queue(db, "orders", max_in_flight=6)
    assert [row.relname for row in rows(db, extra)] == ["ix_r_orders_leased"]
    configure_queue(db, "orders", max_in_flight=None)
    assert rows(db, extra) == []


def test_redeliveries_keep_to_the_limit_together_with_the_rest(few: Queue, clock: Clock) -> None:
    few.read(qty=3)
    clock.advance(31)
    seen: set[int] = set()
    for _ in range(6):
        seen |= {message.msg_id for message in few.read(qty=2)}
        assert few.metrics().in_flight <= 3
    assert len(seen) == 3


def test_a_late_commit_that_falls_into_a_gap_of_a_claim_is_not_counted_as_leased(
    db: psycopg.Connection, database: Database
) -> None:
    create_queue(db, "orders", "log", max_in_flight=4)
    queue = Queue(db, kind="log")
    late = queue.on(database.connect())
    queue.send()
    late.connection.execute("begin")
    late.send()
    queue.send_many(2)
    db.execute("select pg_sleep(0.06)")  # a gap is waited for 50 ms
    assert len(queue.read(qty=10)) == 3
    late.connection.execute("commit")
    assert len(queue.read(qty=10)) == 1


@pytest.mark.parametrize("limit", ["max_in_flight", "max_in_flight_per_key"])
@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_where_leases_of_others_are_unseen_a_limit_refuses_to_read(
    db: psycopg.Connection, isolation: str, limit: str
) -> None:
    limits: dict[str, Any] = {limit: 3}
    create_queue(db, "orders", "row", **limits)
    queue = Queue(db)
    queue.send_many(5)
    db.execute(f"set default_transaction_isolation = '{isolation}'".encode())
    assert refused("PQ002", queue.read).diag.message_hint
    db.execute("set default_transaction_isolation = 'read committed'")
    assert len(queue.read()) == 1


def test_pop_is_refused_where_leases_are_counted(few: Queue) -> None:
    assert refused("PQ002", lambda: few.rows("pop")).diag.message_hint
    assert len(few.read(qty=10)) == 3


@pytest.mark.parametrize("verb", ["create", "configure"])
def test_a_log_refuses_a_limit_by_key_with_the_cure(db: psycopg.Connection, verb: str) -> None:
    if verb == "create":
        error = refused("PQ008", lambda: create_queue(db, "orders", "log", max_in_flight_per_key=1))
    else:
        create_queue(db, "orders", "log")
        error = refused("PQ008", lambda: configure_queue(db, "orders", max_in_flight_per_key=1))
    assert "kind => 'row'" in (error.diag.message_hint or "")
    assert scalar(db, "select count(*) from pgqueue.queue where settings <> '{}'") == 0


def test_a_full_queue_is_waited_for_by_nobody(db: psycopg.Connection, few: Queue) -> None:
    few.read(qty=3)
    assert few.rows("read_or_await", wait="1 min") == []
    assert few.call("is_awaited") is False
