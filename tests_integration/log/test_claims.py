"""Leases of a log: one row a read; what changes it and what leaves it alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.verbs import Queue
from tests_integration.log.storage import claims, held_in, ids_of

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ASIDE: dict[str, dict[str, Any]] = {
    "retry": {"delay": MINUTE, "error": "boom"},
    "release": {},
    "archive": {},
    "bury": {"reason": "x"},
}


def test_read_writes_one_claim_whatever_its_qty_and_no_message(orders: Queue, clock: Clock) -> None:
    sent = orders.send_many(50)
    found = orders.read(qty=50, vt=MINUTE, holder="me")
    (claim,) = claims(orders)
    assert (claim.lo, claim.hi, claim.qty, claim.gaps, claim.holder) == (sent[0], sent[-1], 50, None, "me")
    assert (claim.vt, claim.read_at, claim.receipt) == (START + MINUTE, START, found[0].receipt)
    assert held_in(orders, "l_") == sent
    assert {orders.look(msg_id).state for msg_id in sent} == {"in_flight"}


@pytest.mark.parametrize("fenced", [True, False])
def test_whole_claim_is_renewed_by_one_row_and_nothing_else_of_it_changes(
    orders: Queue, clock: Clock, fenced: bool
) -> None:
    sent = orders.send_many(5)
    found = orders.read(qty=5, holder="me")
    before = claims(orders)[0]
    clock.advance(10)
    receipts = [found[0].receipt] if fenced else None
    answered = orders.outcomes("set_vt_batch", msg_ids=sent, vt=HOUR, receipts=receipts)
    assert answered == dict.fromkeys(sent, "done")
    assert {orders.look(msg_id).vt for msg_id in sent} == {START + timedelta(seconds=10) + HOUR}
    assert {orders.look(msg_id).last_read_at for msg_id in sent} == {START}
    if fenced:
        assert claims(orders) == [before._replace(vt=START + timedelta(seconds=10) + HOUR)]
        assert held_in(orders, "r_") == []


def test_claim_with_some_acked_is_renewed_whole_by_what_is_left(orders: Queue, clock: Clock) -> None:
    sent = orders.send_many(5)
    receipt = orders.read(qty=5)[0].receipt
    orders.outcomes("delete_batch", msg_ids=sent[:2], receipts=[receipt])
    assert set(orders.outcomes("set_vt_batch", msg_ids=sent[2:], vt=HOUR, receipts=[receipt]).values()) == {
        "done"
    }
    assert held_in(orders, "r_") == []
    assert claims(orders)[0].vt == START + HOUR


def test_part_of_a_claim_is_renewed_alone(orders: Queue, clock: Clock) -> None:
    sent = orders.send_many(5)
    receipt = orders.read(qty=5)[0].receipt
    part, rest = sent[1:3], [sent[0], *sent[3:]]
    assert orders.outcomes("set_vt_batch", msg_ids=part, vt=HOUR, receipts=[receipt]) == dict.fromkeys(
        part, "done"
    )
    assert {orders.look(msg_id).vt for msg_id in part} == {START + HOUR}
    assert {orders.look(msg_id).vt for msg_id in rest} == {START + timedelta(seconds=30)}
    clock.advance(31)
    assert ids_of(orders.read(qty=10)) == rest
    assert orders.outcomes("delete_batch", msg_ids=part, receipts=[receipt]) == dict.fromkeys(part, "done")


def test_wrong_receipt_renews_nothing(orders: Queue, clock: Clock) -> None:
    sent = orders.send_many(3)
    receipt = orders.read(qty=3)[0].receipt
    before = claims(orders)
    answered = orders.outcomes("set_vt_batch", msg_ids=sent, vt=HOUR, receipts=[receipt ^ 1])
    assert (answered, claims(orders)) == (dict.fromkeys(sent, "stale"), before)


@pytest.mark.parametrize("verb", ASIDE)
def test_settling_one_of_a_claim_leaves_the_leases_of_the_others(
    orders: Queue, clock: Clock, verb: str
) -> None:
    sent = orders.send_many(3)
    receipt = orders.read(qty=3)[0].receipt
    assert orders.call(verb, msg_id=sent[1], receipt=receipt, **ASIDE[verb]) == "done"
    assert [orders.look(sent[place]).vt for place in (0, 2)] == [START + timedelta(seconds=30)] * 2
    assert orders.read(qty=10) == [] or verb == "release"
    rest = [sent[0], sent[2]]
    assert orders.outcomes("delete_batch", msg_ids=rest, receipts=[receipt]) == dict.fromkeys(rest, "done")


@pytest.mark.parametrize("verb", ["retry", "release"])
def test_message_that_is_given_back_comes_before_newer_ones(orders: Queue, clock: Clock, verb: str) -> None:
    first = orders.send()
    message = orders.read_one()
    newer = orders.send()
    more: dict[str, Any] = {"delay": timedelta(0)} if verb == "retry" else {}
    assert orders.call(verb, msg_id=first, receipt=message.receipt, **more) == "done"
    assert ids_of(orders.read(qty=2)) == [first, newer]
    assert orders.call("delete", msg_id=first, receipt=message.receipt) == "stale"


def test_receipt_of_a_lapsed_claim_is_good_until_somebody_reads_again(orders: Queue, clock: Clock) -> None:
    sent = orders.send_many(3)
    old = orders.read(qty=3)[0].receipt
    clock.advance(31)
    assert orders.call("delete", msg_id=sent[0], receipt=old) == "done"
    (again,) = orders.read(qty=1)
    assert (again.msg_id, again.read_ct) == (sent[1], 2)
    assert orders.call("delete", msg_id=sent[1], receipt=old) == "stale"
    assert orders.call("delete", msg_id=sent[2], receipt=old) == "done"


def test_receipt_of_one_claim_never_settles_a_message_of_another(orders: Queue) -> None:
    sent = orders.send_many(4)
    first, second = (orders.read(qty=2)[0].receipt for _ in range(2))
    answered = orders.outcomes("delete_batch", msg_ids=sent, receipts=[first, first, first, second])
    assert answered == {sent[0]: "done", sent[1]: "done", sent[2]: "stale", sent[3]: "done"}


def test_very_large_claims_lapse_in_bounded_steps(orders: Queue, clock: Clock) -> None:
    sent = orders.send_many(1000)
    orders.read(qty=1000)
    clock.advance(31)
    assert ids_of(orders.read(qty=1)) == sent[:1]
    assert len(held_in(orders, "r_")) < 100
    got = sent[:1]
    while found := orders.read(qty=100):
        got += ids_of(found)
    assert got == sent
    assert claims(orders) == []
