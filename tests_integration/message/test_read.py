from __future__ import annotations

from datetime import timedelta

import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    Queue,
    configure_queue,
    every_door,
    every_way,
    every_way_of_row,
    log_only,
    refused,
    rows,
)
from tests_integration.fixtures.waiting import eventually

COLUMNS = (
    "msg_id",
    "read_ct",
    "enqueued_at",
    "last_read_at",
    "vt",
    "message",
    "headers",
    "receipt",
    "release_ct",
    "priority",
    "group_key",
)


@pytest.mark.parametrize("verb", ["read", "pop"])
@every_way
def test_columns_of_a_message_are_the_promised_ones(orders: Queue, verb: str) -> None:
    orders.send()
    (message,) = orders.rows(verb)
    assert message._fields == COLUMNS


@every_door
def test_leased_message_is_hidden_until_its_vt(orders: Queue, clock: Clock) -> None:
    orders.send()
    leased = orders.read_one(vt=timedelta(seconds=10))
    assert leased.vt == START + timedelta(seconds=10)
    assert leased.last_read_at == START
    clock.advance(9.999)
    assert orders.read() == []
    clock.advance(0.001)
    again = orders.read_one()
    assert (again.msg_id, again.read_ct) == (leased.msg_id, 2)


def test_vt_of_the_queue_is_the_default(orders: Queue, clock: Clock) -> None:
    orders.send_many(2)
    assert orders.read_one().vt == START + timedelta(seconds=30)
    configure_queue(orders.connection, "orders", vt=0.5)
    assert orders.read_one().vt == START + timedelta(seconds=0.5)


@pytest.mark.parametrize("vt", [timedelta(seconds=0.1), timedelta(hours=24)])
def test_shortest_and_longest_vt_are_taken(orders: Queue, clock: Clock, vt: timedelta) -> None:
    orders.send()
    assert orders.read_one(vt=vt).vt == START + vt


@every_way
def test_read_hands_out_no_more_than_qty_and_nothing_twice(orders: Queue) -> None:
    sent = orders.send_many(10)
    assert [message.msg_id for message in orders.read(qty=4)] == sent[:4]
    assert [message.msg_id for message in orders.read(qty=1000)] == sent[4:]
    assert orders.read(qty=1000) == []


@every_way_of_row
def test_order_is_priority_then_vt_then_msg_id(orders: Queue, clock: Clock) -> None:
    late = orders.send(delay=timedelta(seconds=2))
    soon = orders.send(delay=timedelta(seconds=1))
    plain = [orders.send(), orders.send()]
    urgent = orders.send(priority=9, delay=timedelta(seconds=3))
    middle = orders.send(priority=4)
    clock.advance(10)
    expected = [urgent, middle, *plain, soon, late]
    assert [message.msg_id for message in orders.read(qty=3)] == expected[:3]
    assert [message.msg_id for message in orders.read(qty=3)] == expected[3:]


@log_only
@pytest.mark.parametrize("verb", ["read", "pop"])
def test_log_hands_out_its_row_side_first_and_then_the_log_in_the_order_of_ids(
    orders: Queue, clock: Clock, verb: str
) -> None:
    plain = [orders.send(), orders.send()]
    late = orders.send(delay=timedelta(seconds=2))
    soon = orders.send(delay=timedelta(seconds=1))
    urgent = orders.send(priority=9, delay=timedelta(seconds=3))
    middle = orders.send(priority=4)
    plain.append(orders.send())
    clock.advance(10)
    expected = [urgent, middle, soon, late, *plain]
    assert [message.msg_id for message in orders.rows(verb, qty=3)] == expected[:3]
    assert [message.msg_id for message in orders.rows(verb, qty=3)] == expected[3:6]
    assert [message.msg_id for message in orders.rows(verb, qty=3)] == expected[6:]


def test_every_priority_level_is_served_from_the_top(orders: Queue) -> None:
    sent = {priority: orders.send(priority=priority) for priority in (3, 0, 9, 6, 1, 8, 2, 5, 7, 4)}
    assert [message.priority for message in orders.read(qty=10)] == list(range(9, -1, -1))
    assert len(sent) == 10


def test_priority_in_flight_does_not_hide_lower_levels(orders: Queue) -> None:
    high, low = orders.send(priority=9), orders.send()
    assert [orders.read_one().msg_id for _ in range(2)] == [high, low]


class TestReceipts:
    @every_way
    def test_one_receipt_a_call(self, orders: Queue) -> None:
        orders.send_many(6)
        calls = [orders.read(qty=3), orders.read(qty=3)]
        receipts = [{message.receipt for message in call} for call in calls]
        assert [len(of_call) for of_call in receipts] == [1, 1]
        assert receipts[0] != receipts[1]

    def test_receipts_are_spread_over_64_bits(self, orders: Queue) -> None:
        orders.send_many(200)
        drawn = [orders.read_one().receipt for _ in range(200)]
        assert len(set(drawn)) == 200
        assert 60 <= sum(receipt < 0 for receipt in drawn) <= 140
        for bit in range(64):
            assert 50 <= sum((receipt >> bit) & 1 for receipt in drawn) <= 150

    def test_pop_gives_none(self, orders: Queue) -> None:
        orders.send()
        (popped,) = orders.rows("pop")
        assert popped.receipt is None


def test_read_ct_rises_with_every_claim_and_never_falls(orders: Queue, clock: Clock) -> None:
    orders.send()
    seen: list[tuple[int, int]] = []
    for settle in ("release", "retry", "expire", "set_vt", "release"):
        message = orders.read_one()
        seen.append((message.read_ct, message.release_ct))
        if settle == "release":
            orders.call("release", msg_id=message.msg_id, receipt=message.receipt)
        elif settle == "retry":
            orders.call("retry", msg_id=message.msg_id, delay=timedelta(0), receipt=message.receipt)
        elif settle == "set_vt":
            orders.call("set_vt", msg_id=message.msg_id, vt=timedelta(seconds=1), receipt=message.receipt)
        clock.advance(30)
    message = orders.read_one()
    seen.append((message.read_ct, message.release_ct))
    assert seen == [(1, 0), (2, 1), (3, 1), (4, 1), (5, 1), (6, 2)]


@log_only
def test_log_refuses_a_filter_with_the_cure(orders: Queue) -> None:
    sent = orders.send({"kind": "a"})
    error = refused("PQ008", lambda: orders.read(filter={"kind": "a"}))
    assert "row" in (error.diag.message_hint or "")
    assert orders.look(sent).read_ct == 0


class TestHolder:
    @every_way
    def test_holder_is_kept_with_the_lease_and_in_the_dead_letter(self, orders: Queue) -> None:
        sent = orders.send()
        orders.read_one(holder="host-1/7")
        assert orders.look(sent).holder == "host-1/7"
        orders.call("bury", msg_id=sent, reason="broken")
        assert orders.dead()[0].holder == "host-1/7"

    def test_holder_of_the_last_lease_wins(self, orders: Queue, clock: Clock) -> None:
        sent = orders.send()
        for holder in ("a", "b"):
            orders.read_one(holder=holder)
            clock.advance(31)
        assert orders.look(sent).holder == "b"

    def test_long_holder_is_cut(self, orders: Queue) -> None:
        sent = orders.send()
        orders.read_one(holder="x" * 1000)
        assert orders.look(sent).holder == "x" * 255


class TestPop:
    @every_way
    def test_popped_messages_are_gone(self, orders: Queue) -> None:
        sent = orders.send_many(5)
        popped = orders.rows("pop", qty=3)
        assert [message.msg_id for message in popped] == sent[:3]
        assert {message.read_ct for message in popped} == {1}
        assert orders.ids() == sent[3:]

    @every_way_of_row
    def test_order_is_that_of_read(self, orders: Queue, clock: Clock) -> None:
        late, first = orders.send(delay=timedelta(seconds=1)), orders.send()
        urgent = orders.send(priority=1)
        clock.advance(1)
        assert [message.msg_id for message in orders.rows("pop", qty=3)] == [urgent, first, late]

    def test_leased_and_delayed_messages_are_left(self, orders: Queue) -> None:
        orders.send()
        orders.read_one()
        orders.send(delay=timedelta(seconds=5))
        assert orders.rows("pop", qty=10) == []

    def test_pop_that_is_rolled_back_took_nothing(self, database: Database, orders: Queue) -> None:
        sent = orders.send()
        session = database.connect(autocommit=False)
        assert len(orders.on(session).rows("pop")) == 1
        session.rollback()
        assert orders.ids() == [sent]


@pytest.mark.parametrize("verb", ["read", "pop"])
def test_nothing_is_read_in_a_read_only_transaction(database: Database, orders: Queue, verb: str) -> None:
    sent = orders.send()
    session = database.connect()
    session.execute("set default_transaction_read_only = on")
    refused("25006", lambda: orders.on(session).rows(verb))
    assert orders.look(sent).read_ct == 0


def test_rolled_back_read_gives_the_message_to_the_next_one_under_another_receipt(
    database: Database, orders: Queue
) -> None:
    orders.send()
    session = database.connect(autocommit=False)
    lost = orders.on(session).read_one()
    session.rollback()
    (found,) = eventually(orders.read, 20)  # a log waits for older writers, and other tests share this server
    # A log can't tell whether the lost one was handled: it counts that read, and counts it as released too.
    lost_reads = 0 if orders.kind == "row" else 1
    assert (lost.read_ct, found.read_ct, found.release_ct) == (1, 1 + lost_reads, lost_reads)
    assert orders.call("delete", msg_id=lost.msg_id, receipt=lost.receipt) == "stale"
    assert orders.call("delete", msg_id=found.msg_id, receipt=found.receipt) == "done"


@pytest.mark.parametrize("age", ["0 s", "1 ms", "17 min", "18 min", "70 h", "75 h", "40 days"])
def test_floor_that_a_hint_holds_is_never_above_the_one_given(orders: Queue, age: str) -> None:
    encoded = "pgqueue.encode_floor(now() - %s::interval, now() + interval '0.05 s', 3)"
    found = f"select pgqueue.decode_floor({encoded}, now()) as floor, now() - %s::interval as given, {encoded} as hint"
    (row,) = rows(orders.connection, found, age, age, age)
    if row.hint == 0:
        assert age in {"75 h", "40 days"}
        assert row.floor is None
    else:
        assert row.given - timedelta(milliseconds=5) <= row.floor <= row.given


def test_a_hint_is_believed_for_a_tenth_of_a_second(orders: Queue) -> None:
    hint = "pgqueue.encode_floor('-1 s'::interval + now(), now() + interval '0.05 s', 3)"
    for later, believed in (("0.04 s", True), ("0.16 s", False)):
        found = f"select pgqueue.decode_floor({hint}, now() + %s::interval) is not null as believed"
        (row,) = rows(orders.connection, found, later)
        assert row.believed is believed
