"""What the operator sees: metrics, the views over all queues, peek, and the sequence after a restore."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.verbs import Queue, create_queue, refused, rows, scalar

DELAY = timedelta(minutes=5)


@pytest.fixture
def mixed(orders: Queue, clock: Clock) -> dict[str, int]:
    """Hold one message of each state, and two that are ready again after a lease and a retry."""
    lapsed, retry, in_flight = (orders.send() for _ in range(3))
    for vt in (1, 60, 60):
        orders.read_one(vt=timedelta(seconds=vt))
    orders.call("retry", msg_id=retry, delay=DELAY)
    clock.advance(2)
    return {
        "ready": orders.send(),
        "delayed": orders.send(delay=DELAY),
        "in_flight": in_flight,
        "retry": retry,
        "lapsed": lapsed,
    }


def test_states_are_told_apart(orders: Queue, mixed: dict[str, int]) -> None:
    seen = {row.msg_id: row.state for row in rows(orders.connection, "select * from pgqueue.q_orders")}
    assert seen == {mixed[state]: state.replace("lapsed", "ready") for state in mixed}
    assert orders.look(mixed["lapsed"]).state == "ready"


def test_depth_is_exact_and_split_by_state(orders: Queue, mixed: dict[str, int]) -> None:
    seen = orders.metrics()
    assert (seen.depth, seen.ready, seen.delayed, seen.in_flight, seen.retrying) == (5, 2, 1, 1, 1)
    assert (seen.approx, seen.dead, seen.last_msg_id) == (False, 0, mixed["delayed"])


def test_age_and_activity(orders: Queue, clock: Clock) -> None:
    empty = orders.metrics()
    assert (empty.depth, empty.oldest_at, empty.last_sent_at, empty.last_msg_id) == (0, None, None, 0)
    orders.send()
    clock.advance(10)
    orders.send(priority=9)
    orders.send(delay=DELAY)
    seen = orders.metrics()
    assert (seen.oldest_at, seen.last_sent_at) == (START, START + timedelta(seconds=10))


def test_rolled_back_last_id_does_not_spoil_the_figures(orders: Queue) -> None:
    orders.connection.execute("begin")
    orders.send_many(5)
    orders.connection.execute("rollback")
    seen = orders.metrics()
    assert (seen.depth, seen.last_sent_at, seen.last_msg_id) == (0, None, 5)


def test_dead_letters_are_counted_until_they_are_redriven(orders: Queue) -> None:
    for msg_id in orders.send_many(3):
        orders.call("bury", msg_id=msg_id, reason="x")
    assert (orders.metrics().depth, orders.metrics().dead) == (0, 3)
    orders.rows("redrive", msg_ids=[1])
    assert (orders.metrics().depth, orders.metrics().dead) == (1, 2)


def fill(db: psycopg.Connection, count: int) -> None:
    db.execute(
        "insert into pgqueue.r_orders (msg_id, enqueued_at, vt, message)"
        " select g, c, c + mod(g, 2) * interval '1 day', '{}'"
        " from generate_series(1, %s) g, clock_timestamp() c",
        [count],
    )


@pytest.mark.parametrize(("count", "approx"), [(10_000, False), (10_001, True)])
def test_depth_is_exact_up_to_ten_thousand(orders: Queue, count: int, approx: bool) -> None:
    fill(orders.connection, count)
    seen = orders.metrics()
    assert (seen.depth, seen.approx) == (count, approx)
    assert seen.ready + seen.delayed == count


def test_depth_beyond_is_the_estimate_of_the_planner(orders: Queue) -> None:
    fill(orders.connection, 50_000)
    orders.connection.execute("analyze pgqueue.r_orders")
    seen = orders.metrics()
    assert seen.approx is True
    assert 45_000 <= seen.depth <= 55_000
    assert 0.4 <= seen.ready / seen.depth <= 0.6


def test_metrics_of_all_queues_come_by_name(db: psycopg.Connection) -> None:
    for name in ("b", "a"):
        create_queue(db, name)
    expected = ["a", "b"]
    assert [row.queue for row in rows(db, "select * from pgqueue.metrics()")] == expected
    assert [row.queue for row in rows(db, "select * from pgqueue.list_queues()")] == expected
    assert rows(db, "select * from pgqueue.metrics()") == rows(
        db, "select * from pgqueue.queues order by queue"
    )


def test_metrics_of_an_unknown_queue_are_refused_with_the_nearest_names(orders: Queue) -> None:
    error = refused("PQ001", lambda: rows(orders.connection, "select * from pgqueue.metrics('order')"))
    assert "orders" in (error.diag.message_hint or "")


class TestPeek:
    def test_nothing_is_leased(self, orders: Queue) -> None:
        sent = orders.send({"n": 1})
        before = orders.look(sent)
        assert orders.rows("peek") == [before]
        assert orders.look(sent) == before
        assert orders.read_one().read_ct == 1

    @pytest.mark.parametrize("state", ["ready", "delayed", "in_flight", "retry"])
    def test_state_is_a_filter(self, orders: Queue, mixed: dict[str, int], state: str) -> None:
        expected = {mixed[state]} | ({mixed["lapsed"]} if state == "ready" else set())
        assert {row.msg_id for row in orders.rows("peek", state=state)} == expected

    def test_pages_by_the_last_id_seen(self, orders: Queue) -> None:
        sent = orders.send_many(45)
        seen: list[int] = []
        while page := orders.rows("peek", after_id=seen[-1] if seen else 0):
            assert len(page) <= 20
            seen += [row.msg_id for row in page]
        assert seen == sent

    def test_runs_in_a_read_only_transaction(self, orders: Queue) -> None:
        orders.send()
        orders.connection.execute("begin read only")
        assert len(orders.rows("peek")) == 1
        assert orders.metrics().depth == 1
        orders.connection.execute("rollback")

    @pytest.mark.parametrize("arguments", [{"state": "dead"}, {"qty": 0}, {"qty": 1001}, {"qty": None}])
    def test_bad_arguments_are_refused(self, orders: Queue, arguments: dict[str, Any]) -> None:
        refused("PQ002", lambda: orders.rows("peek", **arguments))


class TestLiftSequence:
    @pytest.mark.parametrize("place", ["r_", "a_", "d_", "k_", "live"])
    def test_sequence_is_lifted_above_every_id_in_use(self, orders: Queue, place: str) -> None:
        sent = orders.send(key="k", priority=1 if place == "r_" else 0)
        if place == "live":
            place = "r_" if orders.kind == "row" else "l_"
        if place == "a_":
            orders.call("archive", msg_id=sent)
        elif place == "d_":
            orders.call("bury", msg_id=sent, reason="x")
        elif place == "k_":
            orders.call("delete", msg_id=sent)
        orders.connection.execute(f"update pgqueue.{place}orders set msg_id = 5000".encode())
        assert scalar(orders.connection, "select pgqueue.lift_sequence('orders')") == 5000
        assert orders.send() == 5001

    def test_sequence_that_is_ahead_stays(self, orders: Queue) -> None:
        assert scalar(orders.connection, "select pgqueue.lift_sequence('orders')") == 0
        assert orders.send() == 1
        last = orders.send_many(5)[-1]
        assert scalar(orders.connection, "select pgqueue.purge_queue('orders')") == 6
        assert scalar(orders.connection, "select pgqueue.lift_sequence('orders')") == last
        assert orders.send() == last + 1
