"""Barriers that grow while they wait, and barriers within barriers."""

from __future__ import annotations

import pytest

from tests_integration.barrier.fan import Fan, part
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, refused
from tests_integration.fixtures.waiting import wait_until_blocked


def test_live_part_adds_parts_that_are_waited_for(fan: Fan) -> None:
    generation = fan.arm(1)
    (root,) = fan.read()
    with fan.db.transaction():
        assert fan.add(generation, 0, [part(1), part(2)]) == 1
        fan.ack([root], ["root"])
    assert fan.counts(generation) == ("live", 1, 0, 2)
    children = fan.read()
    assert [message.headers["pgqueue-part"]["part"] for message in children] == [1, 2]
    fan.ack(children, ["one", "two"])
    assert (fan.counts(generation), len(fan.sent())) == (("done", 3, 0, 0), 1)
    assert [one.result for one in fan.results(generation)] == ["root", "one", "two"]


def test_adding_nothing_changes_nothing(fan: Fan) -> None:
    generation = fan.arm(1)
    assert fan.add(generation, 0, []) is None
    assert fan.counts(generation) == ("live", 0, 0, 1)


@pytest.mark.parametrize("state", ["arrived", "aborted", "unknown part", "other key"])
def test_only_a_live_part_of_a_live_barrier_may_add(fan: Fan, state: str) -> None:
    """F48"""
    generation = fan.arm(2)
    number, key = (7 if state == "unknown part" else 0), ("x" if state == "other key" else "b")
    if state == "arrived":
        fan.arrive(generation, 0)
    elif state == "aborted":
        fan.abort()
    before = fan.queue().ids()
    error = refused("PQ012", lambda: fan.add(generation, number, [part(9)], key=key))
    assert error.diag.message_hint
    assert fan.queue().ids() == before
    assert fan.look(generation).parts == 2


def test_barrier_can_not_end_while_a_part_adds(fan: Fan, database: Database) -> None:
    generation = fan.arm(1)
    (root,) = fan.read()
    other = fan.on(database.connect())
    fan.db.execute("begin")
    fan.add(generation, 0, [part(1)])
    waiting = Background(lambda: other.ack([root]))
    wait_until_blocked(database.connect(), other.db.info.backend_pid)
    fan.db.execute("commit")
    assert waiting.result()[0].fired is False
    assert fan.counts(generation) == ("live", 1, 0, 1)


def test_adding_behind_an_arrival_is_refused(fan: Fan, database: Database) -> None:
    generation = fan.arm(2)
    first, _ = fan.read()
    other = fan.on(database.connect())
    fan.db.execute("begin")
    fan.ack([first])
    waiting = Background(lambda: other.add(generation, 0, [part(9)]))
    wait_until_blocked(database.connect(), other.db.info.backend_pid)
    fan.db.execute("commit")
    refused("PQ012", waiting.result)
    assert fan.counts(generation) == ("live", 1, 0, 1)


def test_two_parts_that_add_at_once_get_numbers_of_their_own(fan: Fan, database: Database) -> None:
    generation = fan.arm(2)
    other = fan.on(database.connect())
    fan.db.execute("begin")
    assert fan.add(generation, 0, [part(n) for n in range(3)]) == 2
    waiting = Background(lambda: other.add(generation, 1, [part(n) for n in range(2)]))
    wait_until_blocked(database.connect(), other.db.info.backend_pid)
    fan.db.execute("commit")
    assert waiting.result() == 5
    assert [one.part for one in fan.parts(generation)] == list(range(7))
    fan.ack(fan.read())
    assert fan.counts(generation) == ("done", 7, 0, 0)


def test_callback_arms_the_next_barrier_with_its_ack(fan: Fan) -> None:
    fan.arm(2, key="files")
    fan.ack(fan.read())
    (callback,) = fan.read(queue="total")
    told = callback.headers["pgqueue-barrier"]["generation"]
    with fan.db.transaction():
        second = fan.arm(3, key="pages")
        outcome = fan.db.execute(
            "select pgqueue.barrier_finish('total', %s, %s, %s)", [callback.msg_id, callback.receipt, told]
        ).fetchone()
        assert outcome == ("done",)
    fan.ack(fan.read())
    assert (fan.counts(second), len(fan.sent())) == (("done", 3, 0, 0), 1)


def test_part_waits_for_a_barrier_of_its_own(fan: Fan) -> None:
    """A part arms an inner barrier whose callback arrives for it."""
    outer = fan.arm(2, key="outer")
    first, second = fan.read()
    fan.ack([second])
    told = {"outer": outer, "part": 0}
    with fan.db.transaction():
        fan.arm(2, key="inner", callback={"queue": "total", "message": told})
        fan.queue().call("delete", msg_id=first.msg_id, receipt=first.receipt)
    assert fan.counts(outer) == ("live", 1, 0, 1)
    fan.ack(fan.read())
    (callback,) = fan.read(queue="total")
    with fan.db.transaction():
        fan.queue("total").call("delete", msg_id=callback.msg_id, receipt=callback.receipt)
        assert fan.arrive(callback.message["outer"], callback.message["part"], key="outer") == "fired"
    assert fan.counts(outer) == ("done", 2, 0, 0)
