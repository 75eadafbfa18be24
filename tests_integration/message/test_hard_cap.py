from __future__ import annotations

from datetime import timedelta

import pytest

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.verbs import Queue, configure_queue, every_way, row_only


@pytest.fixture
def strict(orders: Queue) -> Queue:
    """Let a message be read three times: max_reads 2 and a repark_budget of 1."""
    configure_queue(orders.connection, "orders", max_reads=2, repark_budget=1)
    return orders


def wear_out(queue: Queue, clock: Clock, reads: int = 3, holder: str = "killer") -> None:
    """Read everything that is there, without an answer, that many times."""
    for _ in range(reads):
        queue.read(qty=1000, vt=timedelta(seconds=1), holder=holder)
        clock.advance(1)


@every_way
def test_message_is_handed_out_up_to_the_cap_and_then_moved_by_the_read(strict: Queue, clock: Clock) -> None:
    ranked = strict.ranked(priority=2, group_key="g")
    sent = strict.send({"n": 1}, headers={"h": 1}, **ranked)
    for read_ct in (1, 2, 3):
        assert strict.read_one(holder=f"worker {read_ct}").read_ct == read_ct
        clock.advance(30)
    last_read_at = strict.look(sent).last_read_at
    assert strict.read(holder="the fourth") == []
    assert strict.ids() == []
    (letter,) = strict.dead()
    assert (letter.msg_id, letter.reason, letter.read_ct, letter.release_ct) == (sent, "hard_cap", 3, 0)
    assert (letter.message, letter.headers) == ({"n": 1}, {"h": 1})
    assert {"priority": letter.priority, "group_key": letter.group_key} == ranked
    assert (letter.holder, letter.last_read_at, letter.died_at) == ("worker 3", last_read_at, clock.now())
    assert letter.redriven_as is None


def test_last_error_goes_with_the_message(strict: Queue, clock: Clock) -> None:
    strict.send()
    message = strict.read_one()
    strict.call("retry", msg_id=message.msg_id, delay=timedelta(0), error="it hurts", receipt=message.receipt)
    wear_out(strict, clock)
    assert strict.dead()[0].error == "it hurts"


def test_releases_are_left_out(strict: Queue, clock: Clock) -> None:
    strict.send()
    for _ in range(20):
        message = strict.read_one()
        assert strict.call("release", msg_id=message.msg_id, receipt=message.receipt) == "done"
    wear_out(strict, clock)
    assert strict.read() == []
    (letter,) = strict.dead()
    assert (letter.read_ct, letter.release_ct) == (23, 20)


@pytest.mark.parametrize("doomed", [1, 4, 250])
@pytest.mark.parametrize("qty", [1, 5])
def test_read_fills_up_to_qty_behind_the_doomed(strict: Queue, clock: Clock, doomed: int, qty: int) -> None:
    strict.send_many(doomed)
    wear_out(strict, clock)
    fresh = strict.send_many(qty + 3)
    found = strict.read(qty=qty)
    assert [message.msg_id for message in found] == fresh[:qty]
    assert {message.read_ct for message in found} == {1}
    assert len(strict.dead()) == doomed
    assert len(strict.ids()) == qty + 3


def test_read_fills_up_to_qty_over_several_priorities(strict: Queue, clock: Clock) -> None:
    for priority in (9, 5, 1, 0):
        strict.send_many(3, priority=priority)
    wear_out(strict, clock)
    expected = [strict.send(priority=priority) for priority in (9, 7, 5, 1, 0)]
    assert [message.msg_id for message in strict.read(qty=5)] == expected
    assert len(strict.dead()) == 12


def test_read_that_is_filled_leaves_the_doomed_of_lower_levels_alone(strict: Queue, clock: Clock) -> None:
    strict.send()
    wear_out(strict, clock)
    strict.send(priority=1)
    assert len(strict.read(qty=1)) == 1
    assert strict.dead() == []


@row_only
def test_next_of_a_group_is_handed_out_by_the_read_that_buries_its_head(strict: Queue, clock: Clock) -> None:
    strict.send(group_key="g")
    wear_out(strict, clock)
    following = strict.send(group_key="g")
    assert [message.msg_id for message in strict.read(qty=5)] == [following]
    assert len(strict.dead()) == 1


@row_only
def test_filter_spares_the_doomed_that_do_not_match(strict: Queue, clock: Clock) -> None:
    strict.send({"kind": "a"})
    wear_out(strict, clock)
    strict.send({"kind": "b"})
    assert len(strict.read(qty=5, filter={"kind": "b"})) == 1
    assert strict.dead() == []


def test_cap_follows_the_settings(strict: Queue, clock: Clock) -> None:
    strict.send()
    wear_out(strict, clock)
    configure_queue(strict.connection, "orders", max_reads=100)
    assert strict.read_one().read_ct == 4


def test_pop_hands_out_what_read_would_bury(strict: Queue, clock: Clock) -> None:
    strict.send()
    wear_out(strict, clock)
    (popped,) = strict.rows("pop")
    assert popped.read_ct == 4
