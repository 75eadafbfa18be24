"""The change of sides, in small: the ids run over a multiple of 131,072."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.verbs import Queue
from tests_integration.log.storage import SIDE, claims, cursor, held_in, ids_of, maintain, set_ids

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("batch", [False, True])
def test_ids_go_on_over_the_border_and_each_side_gets_its_own(border: Queue, batch: bool) -> None:
    sent = border.send_many(10) if batch else [border.send() for _ in range(10)]
    assert sent == list(range(SIDE - 5, SIDE + 5))
    assert (held_in(border, "l_"), held_in(border, "m_")) == (sent[:5], sent[5:])
    assert border.ids() == sent


@pytest.mark.parametrize("qty", [1, 3, 5, 10, 100])
def test_reads_go_over_the_border_in_order_and_miss_nothing(border: Queue, qty: int) -> None:
    sent = border.send_many(10)
    got: list[int] = []
    while found := border.read(qty=qty):
        assert len({message.receipt for message in found}) == 1
        got += ids_of(found)
    assert got == sent
    assert cursor(border) == sent[-1]
    assert all(claim.lo // SIDE == claim.hi // SIDE for claim in claims(border))


def test_back_over_the_border_to_the_first_side(orders: Queue) -> None:
    set_ids(orders, 2 * SIDE - 6)
    sent = orders.send_many(10)
    assert (held_in(orders, "m_"), held_in(orders, "l_")) == (sent[:5], sent[5:])
    assert ids_of(orders.read(qty=10)) == sent


@pytest.mark.parametrize("verb", ["delete_batch", "archive_batch", "release_batch", "set_vt_batch"])
def test_read_from_both_sides_is_settled_as_one(border: Queue, verb: str) -> None:
    sent = border.send_many(10)
    found = border.read(qty=10)
    more = {"vt": MINUTE} if verb == "set_vt_batch" else {}
    answered = border.outcomes(verb, msg_ids=sent, receipts=[found[0].receipt], **more)
    assert answered == dict.fromkeys(sent, "done")
    left = [] if verb in ("delete_batch", "archive_batch") else sent
    assert border.ids() == left


def test_whole_ack_of_both_sides_leaves_no_claim_beyond_its_vt(border: Queue, clock: Clock) -> None:
    border.send_many(10)
    found = border.read(qty=10)
    border.outcomes("delete_batch", msg_ids=ids_of(found), receipts=[found[0].receipt])
    clock.advance(31)
    maintain(border)
    assert claims(border) == []
    assert border.metrics().depth == 0


def test_lapsed_claims_of_both_sides_come_back(border: Queue, clock: Clock) -> None:
    sent = border.send_many(10)
    assert ids_of(border.read(qty=10)) == sent
    clock.advance(31)
    assert [(message.msg_id, message.read_ct) for message in border.read(qty=10)] == [(i, 2) for i in sent]


def test_rolled_back_reader_of_both_sides_gives_all_back(border: Queue, other: Queue) -> None:
    sent = border.send_many(10)
    other.connection.execute("begin")
    assert ids_of(other.read(qty=10)) == sent
    other.connection.execute("rollback")
    assert ids_of(border.read(qty=10)) == sent


def test_late_sender_before_the_border_comes_after_its_commit(
    border: Queue, other: Queue, clock: Clock
) -> None:
    other.connection.execute("begin")
    late = other.send_many(5)
    clock.advance(1)
    sent = border.send_many(3)
    clock.advance(1)
    assert ids_of(border.read(qty=10)) == sent
    other.connection.execute("commit")
    assert [(message.msg_id, message.read_ct) for message in border.read(qty=10)] == [(i, 1) for i in late]


def test_peek_and_metrics_see_both_sides(border: Queue) -> None:
    sent = border.send_many(10)
    border.read(qty=3)
    assert ids_of(border.rows("peek", after_id=0, qty=100)) == sent
    assert ids_of(border.rows("peek", state="in_flight")) == sent[:3]
    assert ids_of(border.rows("peek", after_id=sent[4], state="ready")) == sent[5:]
    seen = border.metrics()
    assert (seen.depth, seen.ready, seen.in_flight, seen.approx) == (10, 7, 3, False)
    assert seen.last_msg_id == sent[-1]


def test_cancel_by_id_on_either_side(border: Queue) -> None:
    sent = border.send_many(10)
    for msg_id in (sent[2], sent[7]):
        assert border.call("delete", msg_id=msg_id) == "done"
    got: list[int] = []
    while found := border.read(qty=10):
        got += ids_of(found)
    assert got == [msg_id for msg_id in sent if msg_id not in (sent[2], sent[7])]


def test_drained_side_is_truncated_once_all_have_gone_over(border: Queue) -> None:
    sent = border.send_many(5)
    found = border.read(qty=5)
    border.outcomes("delete_batch", msg_ids=sent, receipts=[found[0].receipt])
    last = border.send()
    assert maintain(border).truncated is False  # the cursor has not gone over
    (message,) = border.read()
    assert message.msg_id == last
    assert maintain(border).truncated is True
    assert maintain(border).truncated is False
    assert border.connection.execute("select pg_relation_size('pgqueue.l_orders')").fetchone() == (0,)
    assert border.ids() == [last]
