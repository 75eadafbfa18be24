"""Two sessions over the same messages: claims, settling, renewal."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    Background,
    Queue,
    at_once,
    configure_queue,
    log_only,
    row_only,
    rows,
)
from tests_integration.interleavings.conftest import StartBlocked

MINUTE = timedelta(minutes=1)


class TestClaims:
    def test_messages_of_an_open_read_are_skipped(self, orders: Queue, other: Queue) -> None:
        sent = orders.send_many(4)
        with orders.connection.transaction():
            assert [message.msg_id for message in orders.read(qty=2)] == sent[:2]
            assert [message.msg_id for message in other.read(qty=4)] == sent[2:]
            assert other.rows("pop", qty=4) == []

    @pytest.mark.parametrize("verb", ["read", "pop"])
    def test_racing_readers_never_get_more_than_qty_nor_a_message_twice(
        self, orders: Queue, four: list[Queue], verb: str
    ) -> None:
        orders.send_many(200)

        def drain(queue: Queue) -> list[list[int]]:
            batches: list[list[int]] = []
            while batch := queue.rows(verb, qty=1):
                batches.append([message.msg_id for message in batch])
            return batches

        batches = [
            batch for result in at_once(*(partial(drain, queue) for queue in four)) for batch in result
        ]
        assert {len(batch) for batch in batches} == {1}
        assert max(Counter(msg_id for (msg_id,) in batches).values()) == 1
        assert len(batches) == 200

    def test_racing_readers_share_expired_leases_without_doubles(
        self, orders: Queue, four: list[Queue], clock: Clock
    ) -> None:
        orders.send_many(100)
        orders.read(qty=100)
        clock.advance(31)
        calls = at_once(*(partial(queue.read, qty=7) for queue in four))
        claimed = [message for batch in calls for message in batch]
        assert max(Counter(message.msg_id for message in claimed).values()) == 1
        assert {message.read_ct for message in claimed} == {2}

    @row_only
    def test_second_of_a_group_is_not_handed_out_while_the_heads_ack_is_uncommitted(
        self, orders: Queue, other: Queue
    ) -> None:
        head, second = (orders.send(group_key="g") for _ in range(2))
        orders.read_one()
        with orders.connection.transaction():
            orders.call("delete", msg_id=head)
            assert other.read(qty=5) == []
        assert other.read_one(qty=5).msg_id == second

    @row_only
    def test_racing_readers_keep_each_group_in_order_with_one_holder(
        self, orders: Queue, four: list[Queue]
    ) -> None:
        for n in range(15):
            orders.send_many(4, group_keys=list("abcd"), headers=None, priority=n % 3)

        def work(queue: Queue) -> list[tuple[str, int]]:
            done: list[tuple[str, int]] = []
            while queue.ids():
                for message in queue.read(qty=2):
                    done.append((message.group_key, message.msg_id))
                    settled = queue.call("delete", msg_id=message.msg_id, receipt=message.receipt)
                    assert settled == "done"
            return done

        worked = at_once(*(partial(work, queue) for queue in four))
        done = [pair for of_worker in worked for pair in of_worker]
        assert len(done) == len(set(done)) == 60
        for of_worker in worked:
            for group in "abcd":
                mine = [msg_id for key, msg_id in of_worker if key == group]
                assert mine == sorted(mine)

    def test_read_skips_what_is_being_buried(self, orders: Queue, other: Queue) -> None:
        first, second = orders.send_many(2)
        with orders.connection.transaction():
            orders.call("bury", msg_id=first, reason="x")
            assert [message.msg_id for message in other.read(qty=5)] == [second]
        assert other.read(qty=5) == []

    def test_racing_readers_bury_a_doomed_message_once(
        self, orders: Queue, four: list[Queue], clock: Clock
    ) -> None:
        configure_queue(orders.connection, "orders", max_reads=1, repark_budget=0)
        sent = orders.send_many(40)
        orders.read(qty=40)
        clock.advance(31)
        assert at_once(*(partial(queue.read, qty=3) for queue in four)) == [[]] * 4
        orders.read()
        assert [letter.msg_id for letter in orders.dead()] == sent


class TestSettling:
    @pytest.mark.parametrize(
        ("verb", "more"),
        [
            ("delete", {}),
            ("archive", {}),
            ("release", {}),
            ("retry", {"delay": MINUTE}),
            ("bury", {"reason": "x"}),
            ("set_vt", {"vt": MINUTE}),
        ],
    )
    def test_ack_that_waits_behind_a_reclaim_is_stale(
        self,
        orders: Queue,
        other: Queue,
        clock: Clock,
        start_blocked: StartBlocked,
        verb: str,
        more: dict[str, Any],
    ) -> None:
        sent = orders.send()
        old = other.read_one()
        clock.advance(31)
        orders.connection.execute("begin")
        new = orders.read_one()
        waiting = start_blocked(other, lambda q: q.call(verb, msg_id=sent, receipt=old.receipt, **more))
        orders.connection.execute("commit")
        assert waiting.result() == "stale"
        assert orders.call("delete", msg_id=sent, receipt=new.receipt) == "done"

    @pytest.mark.parametrize("verb", ["delete", "set_vt", "bury"])
    def test_settling_that_waits_behind_a_delete_finds_it_gone(
        self, orders: Queue, other: Queue, start_blocked: StartBlocked, verb: str
    ) -> None:
        sent = orders.send()
        more: dict[str, Any] = (
            {"vt": MINUTE} if verb == "set_vt" else {"reason": "x"} if verb == "bury" else {}
        )
        message = orders.read_one()
        orders.connection.execute("begin")
        orders.call("delete", msg_id=sent, receipt=message.receipt)
        waiting = start_blocked(other, lambda q: q.call(verb, msg_id=sent, receipt=message.receipt, **more))
        orders.connection.execute("commit")
        assert waiting.result() == "gone"
        assert orders.dead() == []

    def test_ack_behind_a_reclaim_that_rolls_back_is_done(
        self, orders: Queue, other: Queue, clock: Clock, start_blocked: StartBlocked
    ) -> None:
        sent = orders.send()
        old = other.read_one()
        clock.advance(31)
        orders.connection.execute("begin")
        orders.read_one()
        waiting = start_blocked(other, lambda q: q.call("delete", msg_id=sent, receipt=old.receipt))
        orders.connection.execute("rollback")
        assert waiting.result() == "done"

    @row_only
    def test_set_vt_reads_the_clock_after_the_lock(
        self, orders: Queue, other: Queue, clock: Clock, start_blocked: StartBlocked
    ) -> None:
        sent = orders.send()
        message = orders.read_one()
        orders.connection.execute("begin")
        orders.call("retry", msg_id=sent, delay=timedelta(0), receipt=message.receipt)
        waiting = start_blocked(
            other, lambda q: q.call("set_vt", msg_id=sent, vt=MINUTE, receipt=message.receipt)
        )
        clock.advance(20)
        orders.connection.execute("rollback")
        assert waiting.result() == "done"
        assert orders.look(sent).vt == START + timedelta(seconds=80)

    @log_only
    def test_set_vt_renews_the_claim_while_a_message_of_it_is_being_settled(
        self, orders: Queue, other: Queue, clock: Clock
    ) -> None:
        ids = orders.send_many(2)
        receipt = orders.read(qty=2)[0].receipt
        orders.connection.execute("begin")
        orders.call("retry", msg_id=ids[0], delay=timedelta(0), receipt=receipt)
        clock.advance(20)
        answered = other.outcomes("set_vt_batch", msg_ids=ids, vt=MINUTE, receipts=[receipt])
        assert answered == dict.fromkeys(ids, "done")
        orders.connection.execute("rollback")
        assert {orders.look(msg_id).vt for msg_id in ids} == {START + timedelta(seconds=80)}

    @row_only
    def test_set_vt_batch_answers_busy_for_locked_messages_and_renews_the_rest(
        self, orders: Queue, other: Queue
    ) -> None:
        ids = orders.send_many(4)
        receipt = orders.read(qty=4)[0].receipt
        before = orders.look(ids[1])
        with orders.connection.transaction():
            orders.call("delete", msg_id=ids[1], receipt=receipt)
            orders.call("retry", msg_id=ids[2], delay=MINUTE, receipt=receipt)
            answered = other.outcomes(
                "set_vt_batch", msg_ids=[*reversed(ids), 99], vt=timedelta(hours=1), receipts=[receipt] * 5
            )
        assert answered == {ids[0]: "done", ids[1]: "busy", ids[2]: "busy", ids[3]: "done", 99: "gone"}
        assert orders.look(ids[0]).vt > before.vt + timedelta(minutes=50)

    def test_set_vt_batch_tells_stale_from_busy(self, orders: Queue, other: Queue) -> None:
        locked, free = orders.send_many(2)
        receipt = orders.read(qty=2)[0].receipt
        with orders.connection.transaction():
            orders.call("delete", msg_id=locked)
            answered = other.outcomes(
                "set_vt_batch", msg_ids=[locked, free], vt=MINUTE, receipts=[receipt + 1] * 2
            )
        assert answered == {locked: "stale", free: "stale"}


def test_configure_between_two_reads_of_a_racing_reader_breaks_nothing(
    database: Database, orders: Queue
) -> None:
    orders.send_many(300)
    reader = orders.on(database.connect())

    def drain(queue: Queue) -> int:
        count = 0
        while batch := queue.read(qty=1):
            count += len(batch)
        return count

    running = Background(lambda: drain(reader))
    changes = 0
    while running.running:
        configure_queue(orders.connection, "orders", vt=30 + changes % 20)
        changes += 1
    assert running.result() == 300
    assert changes > 1
    assert rows(orders.connection, "select 1 from pgqueue.r_orders where read_ct <> 1") == []
