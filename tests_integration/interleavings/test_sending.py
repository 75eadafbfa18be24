"""Two senders at once: keys, groups, and the one order of locks."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial

import pytest

from tests_integration.fixtures.verbs import Queue, at_once, refused, row_only
from tests_integration.interleavings.conftest import StartBlocked


class TestKeys:
    def test_second_sender_of_a_key_waits_and_gets_the_id_of_the_first(
        self, orders: Queue, other: Queue, start_blocked: StartBlocked
    ) -> None:
        orders.connection.execute("begin")
        first = orders.send({"n": 1}, key="k")
        waiting = start_blocked(other, lambda q: q.send({"n": 1}, key="k"))
        orders.connection.execute("commit")
        assert waiting.result() == first
        assert orders.ids() == [first]

    def test_second_sender_sends_when_the_first_rolls_back(
        self, orders: Queue, other: Queue, start_blocked: StartBlocked
    ) -> None:
        orders.connection.execute("begin")
        orders.send({"n": 1}, key="k")
        waiting = start_blocked(other, lambda q: q.send({"n": 2}, key="k"))
        orders.connection.execute("rollback")
        second = waiting.result()
        assert orders.ids() == [second]
        assert orders.look(second).message == {"n": 2}

    def test_wait_for_an_open_key_is_bounded_and_leaves_nothing(self, orders: Queue, other: Queue) -> None:
        orders.connection.execute("begin")
        orders.send(key="k")
        began = time.monotonic()
        error = refused("PQ006", lambda: other.send(key="k"))
        assert 4.5 < time.monotonic() - began < 9
        assert error.diag.message_hint
        orders.connection.execute("rollback")
        assert orders.ids() == []
        assert other.connection.execute("show lock_timeout").fetchone() == ("0",)

    def test_batches_with_the_same_keys_in_opposite_orders_all_end(
        self, orders: Queue, four: list[Queue]
    ) -> None:
        keys = [f"k{n:03}" for n in range(60)]

        def send(queue: Queue, step: int) -> list[int]:
            ids: list[int] = []
            for _ in range(5):
                ids = queue.send_many(60, keys=keys[::step])
            return ids[::step]

        steps = zip(four, (1, -1, 1, -1), strict=True)
        answered = {tuple(ids) for ids in at_once(*(partial(send, queue, step) for queue, step in steps))}
        assert len(answered) == 1
        assert sorted(answered.pop()) == orders.ids()

    def test_renewed_key_is_not_forgotten_by_a_racing_cleanup(self, orders: Queue, four: list[Queue]) -> None:
        orders.send_many(200, keys=[f"k{n}" for n in range(200)])
        orders.connection.execute("update pgqueue.k_orders set expires_at = 'epoch'")

        def renew(queue: Queue) -> dict[str, int]:
            return {f"k{n}": queue.send(key=f"k{n}") for n in range(200)}

        answers = at_once(*(partial(renew, queue) for queue in four))
        assert all(answer == answers[0] for answer in answers)
        assert len(orders.ids()) == 400


@row_only
class TestGroups:
    def test_ids_of_a_group_rise_in_the_order_of_commits(
        self, orders: Queue, other: Queue, third: Queue, start_blocked: StartBlocked
    ) -> None:
        orders.connection.execute("begin")
        first = orders.send(group_key="g")
        waiting = start_blocked(other, lambda q: q.send(group_key="g"))
        meanwhile = third.send(group_key="another")
        assert third.read_one(qty=5).msg_id == meanwhile
        orders.connection.execute("commit")
        assert waiting.result() > meanwhile > first
        assert third.read_one(qty=5).msg_id == first

    def test_batch_waits_for_the_group_before_it_draws_ids(
        self, orders: Queue, other: Queue, start_blocked: StartBlocked
    ) -> None:
        orders.connection.execute("begin")
        orders.send(group_key="g")
        waiting = start_blocked(other, lambda q: q.send_many(2, group_keys=[None, "g"]))
        later = orders.send(group_key="g")
        orders.connection.execute("commit")
        assert min(waiting.result()) > later

    def test_batches_with_the_same_groups_in_opposite_orders_all_end(self, four: list[Queue]) -> None:
        groups = [f"g{n}" for n in range(20)]

        def send(queue: Queue, step: int) -> int:
            return sum(len(queue.send_many(20, group_keys=groups[::step])) for _ in range(10))

        steps = zip(four, (1, -1, 1, -1), strict=True)
        assert sum(at_once(*(partial(send, queue, step) for queue, step in steps))) == 800

    def test_redrive_waits_for_the_group_before_it_locks_letters_or_draws_ids(
        self, orders: Queue, other: Queue, start_blocked: StartBlocked
    ) -> None:
        # The order of the house is group locks before dead letters: the other way round this would deadlock.
        buried = orders.send(group_key="g")
        orders.call("bury", msg_id=buried, reason="x")
        orders.connection.execute("begin")
        sent = orders.send(group_key="g")
        waiting = start_blocked(other, lambda q: q.rows("redrive"))
        ((_, redriven),) = orders.rows("redrive", msg_ids=[buried])
        orders.connection.execute("commit")
        assert redriven > sent
        assert waiting.result() == []


def test_racing_redrives_send_each_letter_once(orders: Queue, four: list[Queue]) -> None:
    ids = orders.send_many(50)
    orders.outcomes("bury_batch", msg_ids=ids, reasons=["x"] * 50)
    pairs = [pair for found in at_once(*(partial(queue.rows, "redrive") for queue in four)) for pair in found]
    assert sorted(pair.old_id for pair in pairs) == ids
    assert sorted(pair.new_id for pair in pairs) == orders.ids()


@pytest.mark.parametrize("verb", ["send", "send_many"])
def test_plain_senders_never_wait_for_each_other(orders: Queue, other: Queue, verb: str) -> None:
    other.connection.execute("set lock_timeout = '100ms'")
    with orders.connection.transaction():
        orders.send(key="a", **orders.ranked(group_key="a"))
        orders.send(delay=timedelta(seconds=1))
        if verb == "send":
            other.send(key="b", **orders.ranked(group_key="b"))
        else:
            groups = ["b", None] if orders.kind == "row" else None
            other.send_many(2, keys=["b", "c"], group_keys=groups)
