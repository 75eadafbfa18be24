from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.verbs import (
    KINDS,
    Kind,
    Queue,
    create_queue,
    every_way,
    every_way_of_row,
    refused,
    rows,
    scalar,
)


@every_way
class TestBury:
    def test_letter_keeps_everything(self, orders: Queue, clock: Clock) -> None:
        ranked = orders.ranked(priority=3, group_key="g")
        sent = orders.send({"n": 1}, headers={"h": 1}, **ranked)
        orders.call("release", msg_id=orders.read_one().msg_id)
        message = orders.read_one(holder="worker")
        clock.advance(3)
        orders.call("bury", msg_id=sent, reason="refused", error="why", receipt=message.receipt)
        assert orders.ids() == []
        (letter,) = orders.dead()
        assert (letter.msg_id, letter.reason, letter.error, letter.holder) == (
            sent,
            "refused",
            "why",
            "worker",
        )
        assert (letter.message, letter.headers) == ({"n": 1}, {"h": 1})
        assert {"priority": letter.priority, "group_key": letter.group_key} == ranked
        assert (letter.read_ct, letter.release_ct) == (2, 1)
        assert (letter.enqueued_at, letter.last_read_at) == (START, START)
        assert (letter.died_at, letter.redriven_as, letter.redriven_at) == (
            START + timedelta(seconds=3),
            None,
            None,
        )

    def test_error_of_the_last_retry_stands_where_none_is_given(self, orders: Queue) -> None:
        sent = orders.send()
        orders.call("retry", msg_id=sent, delay=timedelta(0), error="earlier")
        orders.call("bury", msg_id=sent, reason="x")
        assert orders.dead()[0].error == "earlier"

    def test_batch_takes_reason_and_error_by_place(self, orders: Queue) -> None:
        ids = orders.send_many(3)
        assert orders.outcomes(
            "bury_batch",
            msg_ids=[ids[2], ids[0], 999, ids[1]],
            reasons=["c", "a", "gone", "b"],
            errors=["C", None, "gone", "B"],
        ) == dict.fromkeys(ids, "done") | {999: "gone"}
        assert [(letter.reason, letter.error) for letter in orders.dead()] == [
            ("a", None),
            ("b", "B"),
            ("c", "C"),
        ]

    @pytest.mark.parametrize("reason", [None, "", "\x01\x02"])
    def test_reason_is_required(self, orders: Queue, reason: str | None) -> None:
        sent = orders.send()
        refused("PQ002", lambda: orders.call("bury", msg_id=sent, reason=reason))
        assert orders.ids() == [sent]

    def test_long_reason_is_cut(self, orders: Queue) -> None:
        orders.call("bury", msg_id=orders.send(), reason="é" * 300)
        assert orders.dead()[0].reason == "é" * 255


def buried(queue: Queue, count: int = 1, **arguments: object) -> list[int]:
    ids = queue.send_many(count, **arguments)
    queue.outcomes("bury_batch", msg_ids=ids, reasons=["x"] * count)
    return ids


@every_way
class TestRedrive:
    def test_new_message_names_the_old_one_and_begins_anew(self, orders: Queue, clock: Clock) -> None:
        ranked = orders.ranked(priority=3, group_key="g")
        sent = orders.send({"n": 1}, headers={"h": 1}, **ranked)
        orders.read_one(holder="worker")
        orders.call("bury", msg_id=sent, reason="x", error="why")
        clock.advance(10)
        ((old, new),) = orders.rows("redrive", msg_ids=[sent])
        assert old == sent
        assert new > sent
        row = orders.look(new)
        assert row.headers == {"h": 1, "pgqueue-redriven-from": sent}
        assert (row.message, row.state) == ({"n": 1}, "ready")
        assert {"priority": row.priority, "group_key": row.group_key} == ranked
        assert (row.read_ct, row.release_ct, row.error, row.holder) == (0, 0, None, None)
        assert row.enqueued_at == START + timedelta(seconds=10)
        (letter,) = orders.dead()
        assert (letter.redriven_as, letter.redriven_at) == (new, START + timedelta(seconds=10))

    def test_second_redrive_of_a_letter_finds_nothing(self, orders: Queue) -> None:
        (sent,) = buried(orders)
        assert len(orders.rows("redrive", msg_ids=[sent])) == 1
        assert orders.rows("redrive", msg_ids=[sent]) == []
        assert orders.rows("redrive") == []
        assert len(orders.ids()) == 1

    def test_letter_that_is_named_twice_is_sent_once(self, orders: Queue) -> None:
        (sent,) = buried(orders)
        assert len(orders.rows("redrive", msg_ids=[sent, sent, 999])) == 1
        assert len(orders.ids()) == 1

    def test_all_are_sent_in_their_old_order(self, orders: Queue) -> None:
        ids = buried(orders, 20)
        pairs = orders.rows("redrive")
        assert [pair.old_id for pair in pairs] == ids
        assert [message.message["n"] for message in orders.read(qty=20)] == list(range(20))
        assert [pair.new_id for pair in pairs] == orders.ids()

    def test_none_named_sends_none(self, orders: Queue) -> None:
        buried(orders, 3)
        assert orders.rows("redrive", msg_ids=[]) == []
        assert orders.ids() == []

    def test_message_that_dies_again_is_a_second_letter(self, orders: Queue) -> None:
        (sent,) = buried(orders)
        ((_, new),) = orders.rows("redrive")
        orders.call("bury", msg_id=new, reason="again")
        assert [(letter.msg_id, letter.redriven_as) for letter in orders.dead()] == [(sent, new), (new, None)]
        assert orders.dead()[1].headers == {"pgqueue-redriven-from": sent}
        ((old, _),) = orders.rows("redrive")
        assert old == new

    def test_rolled_back_redrive_can_be_repeated(self, orders: Queue) -> None:
        buried(orders)
        orders.connection.execute("begin")
        orders.rows("redrive")
        orders.connection.execute("rollback")
        assert len(orders.rows("redrive")) == 1

    @pytest.mark.parametrize("ids", [[1, None], [[1], [2]]])
    def test_bad_ids_are_refused(self, orders: Queue, ids: object) -> None:
        refused("PQ002", lambda: orders.rows("redrive", msg_ids=ids))


@every_way_of_row
def test_redriven_message_goes_to_the_end_of_its_group(orders: Queue) -> None:
    buried(orders, 1, group_keys=["g"])
    waiting = orders.send({"n": "waiting"}, group_key="g")
    orders.rows("redrive")
    assert [message.msg_id for message in orders.read(qty=5)] == [waiting]


def test_view_shows_the_letters_of_every_queue(db: psycopg.Connection) -> None:
    for name, kind in zip(("a", "b"), KINDS, strict=True):
        create_queue(db, name, kind)
        buried(Queue(db, name), 2)
    assert [(row.queue, row.msg_id) for row in rows(db, "select * from pgqueue.dead_letters")] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_redrive_of_a_dropped_queue_is_refused(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    buried(Queue(db))
    scalar(db, "select pgqueue.drop_queue('orders', true)")
    refused("PQ001", lambda: Queue(db).rows("redrive"))
