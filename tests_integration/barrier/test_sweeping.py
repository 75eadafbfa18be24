"""The sweep: what ends a barrier that nobody ends. A bounded step a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests_integration.barrier.fan import FAILURE, Fan, part, place
from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import create_queue, rows, scalar


def test_nothing_is_due_while_all_is_well(fan: Fan, clock: Clock) -> None:
    fan.arm(3)
    assert fan.sweep() == []
    clock.advance(61)
    (looked,) = fan.sweep()
    assert (looked.key, looked.changed) == ("b", 0)
    assert fan.sweep() == []


@pytest.mark.parametrize("policy", ["abort", "retry"])
@pytest.mark.parametrize("cause", ["deadline", "stall_after"])
def test_barrier_expires_once(fan: Fan, clock: Clock, policy: str, cause: str) -> None:
    options: dict[str, Any] = {"policy": policy, cause: 600}
    generation = fan.arm(3, on_failure=FAILURE, **options)
    clock.advance(599)
    fan.sweep_all()
    assert fan.look(generation).state == "live"
    clock.advance(61)
    assert fan.sweep_all() == 1
    seen = fan.look(generation)
    assert (seen.state, seen.open) == ("expired", 3)
    assert ("deadline" if cause == "deadline" else "no progress") in seen.reason
    assert [one.message["task"] for one in fan.sent()] == ["mourn"]
    assert {row.outcome for row in fan.ack(fan.read())} == {"done"}
    fan.sweep_all()
    assert (fan.look(generation).state, len(fan.sent())) == ("expired", 1)


def test_progress_moves_the_window_and_not_the_deadline(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(4, stall_after=600, deadline=1500)
    for message in fan.read()[:3]:
        clock.advance(450)
        fan.ack([message])
        fan.sweep_all()
        assert fan.look(generation).state == "live"
    clock.advance(150)
    fan.sweep_all()
    assert "deadline" in fan.look(generation).reason


def test_barrier_is_looked_at_when_its_deadline_comes(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(1, deadline=5)
    clock.advance(5)
    assert fan.sweep_all() == 1
    assert fan.look(generation).state == "expired"


def test_collecting_barrier_fires_at_its_deadline_with_what_there_is(fan: Fan, clock: Clock) -> None:
    """The callback is stored, so the sweep can send it (U100)."""
    generation = fan.arm(2500, policy="collect", deadline=600)
    fan.ack(fan.read(qty=1000), list(range(1000)))
    clock.advance(600)
    steps = [fan.sweep()[0].changed for _ in range(4)]
    # decided, then at most a thousand parts a step
    assert steps == [1, 0, 1000, 500]
    assert fan.counts(generation) == ("done", 1000, 1500, 0)
    assert fan.sweep() == []
    assert [one.message["task"] for one in fan.sent()] == ["sum"]
    assert "deadline" in fan.results(generation, after=2400)[0].error


def test_part_that_ends_while_a_collecting_barrier_expires_still_counts(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(3, policy="collect", deadline=600)
    first, *_ = fan.read()
    clock.advance(600)
    fan.sweep()
    fan.ack([first], ["in time"])
    fan.sweep_all()
    assert fan.counts(generation) == ("done", 1, 2, 0)
    assert fan.results(generation)[0].result == "in time"


LOSSES: dict[str, Callable[[Fan, int], object]] = {
    "deleted": lambda fan, msg_id: fan.queue().call("delete", msg_id=msg_id),
    "buried": lambda fan, msg_id: fan.queue().call("bury", msg_id=msg_id, reason="by hand"),
    "archived": lambda fan, msg_id: fan.queue().call("archive", msg_id=msg_id),
    "popped": lambda fan, _: fan.queue().rows("pop"),
    "purged": lambda fan, _: scalar(fan.db, "select pgqueue.purge_queue('parts')"),
    "dropped with its queue": lambda fan, _: scalar(fan.db, "select pgqueue.drop_queue('parts', true)"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_lost_part_fails_its_barrier(fan: Fan, clock: Clock, loss: str) -> None:
    """F47: a member whose message is no more can't hold its barrier."""
    generation = fan.arm(1, on_failure=FAILURE)
    LOSSES[loss](fan, fan.queue().ids()[0])
    assert fan.missing()[0].state in ("gone", "dead")
    clock.advance(61)
    fan.sweep_all()
    seen = fan.look(generation)
    assert seen.state == "failed"
    assert seen.reason.startswith(("part 0: gone", "part 0: dead: by hand"))
    assert len(fan.sent()) == 1


def test_lost_part_of_a_collecting_barrier_counts_as_ended(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(2, policy="collect")
    first, second = fan.read()
    fan.queue().call("delete", msg_id=first.msg_id)
    clock.advance(61)
    fan.sweep_all()
    assert fan.counts(generation) == ("live", 0, 1, 1)
    fan.ack([second])
    assert (fan.counts(generation), len(fan.sent())) == (("done", 1, 1, 0), 1)


def test_dead_part_is_retried_by_the_sweep_where_that_is_the_policy(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(1, policy="retry", retries=1)
    (dying,) = fan.read()
    fan.queue().call("bury", msg_id=dying.msg_id, reason="x", receipt=dying.receipt)
    clock.advance(61)
    fan.sweep_all()
    assert (fan.counts(generation), fan.parts(generation)[0].tries) == (("live", 0, 0, 1), 1)
    fan.ack(fan.read())
    assert fan.counts(generation) == ("done", 1, 0, 0)


def test_part_that_was_sent_again_by_hand_is_followed(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(1)
    (dying,) = fan.read()
    fan.queue().call("bury", msg_id=dying.msg_id, reason="x", receipt=dying.receipt)
    ((_, new),) = fan.queue().rows("redrive")
    assert fan.missing()[0].state == "redriven"
    clock.advance(61)
    fan.sweep_all()
    assert fan.parts(generation)[0].msg_id == new
    assert fan.counts(generation) == ("live", 0, 0, 1)


def test_lost_parts_of_a_large_barrier_are_found_a_thousand_at_a_time(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(2500, policy="collect")
    fan.queue().call("delete", msg_id=fan.parts(generation)[2400].msg_id)
    clock.advance(61)
    assert [fan.sweep()[0].changed for _ in range(3)] == [0, 0, 1]
    assert fan.sweep() == []
    clock.advance(60)
    assert fan.sweep_all() == 3


def test_barrier_that_can_not_end_says_why_and_stops_no_other(fan: Fan, clock: Clock) -> None:
    create_queue(fan.db, "doomed", "row")
    hopeless = fan.arm(1, key="hopeless", deadline=5, on_failure={"queue": "doomed", "message": 1})
    fine = fan.arm(1, key="fine", deadline=6, on_failure=FAILURE)
    scalar(fan.db, "select pgqueue.drop_queue('doomed')")
    clock.advance(10)
    assert fan.sweep_all() == 2
    assert (fan.look(fine).state, len(fan.sent())) == ("expired", 1)
    seen = fan.look(hopeless)
    assert seen.state == "live"
    assert "doomed" in seen.reason
    clock.advance(60)
    create_queue(fan.db, "doomed", "row")
    fan.sweep_all()
    assert fan.look(hopeless).state == "expired"


def test_two_sweepers_do_not_wait_for_each_other(fan: Fan, database: Database, clock: Clock) -> None:
    """F54"""
    fan.arm(2, deadline=5, on_failure=FAILURE)
    clock.advance(10)
    other = fan.on(database.connect())
    with fan.db.transaction():
        assert len(fan.sweep()) == 1
        assert other.sweep() == []
    assert other.sweep() == []
    assert len(fan.sent()) == 1


def test_ended_barrier_is_forgotten_after_its_retention(fan: Fan, clock: Clock) -> None:
    generation = fan.arm([part(n) for n in range(25)], retention=3600)
    live = fan.arm(1, key="live")
    fan.ack([message for message in fan.read() if place(message)[0] == generation])
    forget = "select pgqueue.barrier_forget(10)"
    assert scalar(fan.db, forget) == 0
    kept = fan.look(generation).kept_until
    assert kept.timestamp() == START.timestamp() + 3600
    clock.advance(3600)
    assert [scalar(fan.db, forget) for _ in range(4)] == [10, 10, 6, 0]
    assert rows(fan.db, "select 1 from pgqueue.barrier_part where generation = %s", generation) == []
    assert fan.arrive(generation, 0) == "unknown"
    assert len(fan.parts(live)) == 1
