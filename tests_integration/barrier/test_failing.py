"""A part that will never do its work: what its barrier does is its policy."""

from __future__ import annotations

import pytest

from tests_integration.barrier.fan import FAILURE, Fan
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.verbs import configure_queue, create_queue, scalar


def test_abort_fails_the_barrier_with_the_first_dead_part(fan: Fan) -> None:
    generation = fan.arm(3, on_failure=FAILURE)
    first, second, third = fan.read()
    fan.ack([first])
    assert fan.bury([second])[0].fired is True
    seen = fan.look(generation)
    assert (seen.state, seen.reason) == ("failed", "part 1: broken: boom")
    (sent,) = fan.sent()
    assert sent.message == {"task": "mourn", "kwargs": {"_pg_transport": True}}
    assert sent.headers["pgqueue-barrier"] == {"barrier": "b", "generation": generation}
    assert fan.ack([third])[0].outcome == "done"
    assert (fan.look(generation).state, len(fan.sent())) == ("failed", 1)
    assert [letter.reason for letter in fan.queue().dead()] == ["broken"]


def test_without_a_failure_message_a_failed_barrier_sends_nothing(fan: Fan) -> None:
    generation = fan.arm(2)
    fan.bury(fan.read())
    assert (fan.look(generation).state, fan.sent()) == ("failed", [])


def test_failing_part_and_last_arrival_in_one_call_fail(fan: Fan) -> None:
    generation = fan.arm(1, on_failure=FAILURE)
    assert fan.fail(generation, 0) == "failed"
    assert fan.fail(generation, 0) == "ended"
    assert fan.look(generation).state == "failed"
    assert [one.message["task"] for one in fan.sent()] == ["mourn"]


def test_collect_fires_with_the_errors(fan: Fan) -> None:
    generation = fan.arm(3, policy="collect", on_failure=FAILURE)
    first, second, third = fan.read()
    fan.bury([second])
    assert fan.counts(generation) == ("live", 0, 1, 2)
    fan.ack([third, first], ["c", "a"])
    assert fan.counts(generation) == ("done", 2, 1, 0)
    assert [(one.state, one.result, one.error) for one in fan.results(generation)] == [
        ("done", "a", None),
        ("failed", None, "broken: boom"),
        ("done", "c", None),
    ]
    assert [one.message["task"] for one in fan.sent()] == ["sum"]


def test_collect_fires_also_when_all_failed(fan: Fan) -> None:
    generation = fan.arm(2, policy="collect")
    assert {row.fired for row in fan.bury(fan.read())} == {True}
    assert (fan.counts(generation), len(fan.sent())) == (("done", 0, 2, 0), 1)


def test_retry_sends_a_dead_part_again_until_its_retries_are_used(fan: Fan) -> None:
    generation = fan.arm(2, policy="retry", retries=2, on_failure=FAILURE)
    for tries in (1, 2):
        (dying,) = [message for message in fan.read() if message.message == {"n": 0}]
        assert fan.bury([dying])[0].fired is False
        assert fan.counts(generation) == ("live", 0, 0, 2)
        assert fan.parts(generation)[0].tries == tries
    (last,) = fan.read()
    assert fan.bury([last])[0].fired is True
    assert (fan.look(generation).state, len(fan.sent())) == ("failed", 1)
    assert [letter.redriven_as is None for letter in fan.queue().dead()] == [False, False, True]


def test_part_that_was_retried_arrives(fan: Fan) -> None:
    generation = fan.arm(1, policy="retry")
    fan.bury(fan.read())
    (again,) = fan.read()
    assert again.headers["pgqueue-redriven-from"] != again.msg_id
    fan.ack([again], ["done at last"])
    assert fan.counts(generation) == ("done", 1, 0, 0)
    assert [one.result for one in fan.results(generation)] == ["done at last"]


def test_rolled_back_retry_leaves_part_and_message(fan: Fan) -> None:
    generation = fan.arm(1, policy="retry")
    (dying,) = fan.read()
    with fan.db.transaction(force_rollback=True):
        fan.bury([dying])
    (whole,) = fan.parts(generation)
    assert (whole.msg_id, whole.tries, fan.queue().dead()) == (dying.msg_id, 0, [])
    assert fan.ack([dying])[0].fired is True


def test_part_without_a_dead_letter_can_not_be_retried(fan: Fan) -> None:
    generation = fan.arm(1, policy="retry")
    assert fan.fail(generation, 0) == "failed"
    assert fan.look(generation).state == "failed"


def test_parts_of_two_queues_are_retried_in_one_call(fan: Fan) -> None:
    create_queue(fan.db, "more", fan.kind)
    generation = fan.arm(
        [{"queue": name, "message": name} for name in ("parts", "more", "parts")], policy="retry"
    )
    for name in ("parts", "more"):
        for message in fan.read(queue=name):
            fan.queue(name).call("bury", msg_id=message.msg_id, reason="x", receipt=message.receipt)
    again = scalar(fan.db, "select count(*) from pgqueue.retry_parts(%s, '{0,1,2}')", [generation] * 3)
    assert again == 3
    assert {one.tries for one in fan.parts(generation)} == {1}
    assert (len(fan.read()), len(fan.read(queue="more"))) == (2, 1)


def test_burial_that_lost_its_lease_fails_nothing(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(1)
    old = fan.read(vt="1 s")
    clock.advance(2)
    fan.read()
    assert fan.bury(old)[0].outcome == "stale"
    assert fan.counts(generation) == ("live", 0, 0, 1)


def test_error_text_is_cleaned_and_bounded(fan: Fan) -> None:
    """U88: a failure that can't be recorded would be redelivered for ever."""
    generation = fan.arm(2, policy="collect")
    assert fan.fail(generation, 0, "a\x01b" + "x" * 10_000) == "arrived"
    assert fan.fail(generation, 1, None) == "fired"
    errors = [one.error for one in fan.results(generation)]
    assert errors[0].startswith("abx")
    assert (len(errors[0]), errors[1]) == (8192, "failed")


@pytest.mark.parametrize("policy", ["abort", "collect", "retry"])
def test_failing_again_changes_nothing(fan: Fan, policy: str) -> None:
    generation = fan.arm(2, policy=policy)
    assert fan.arrive(generation, 0) == "arrived"
    assert fan.fail(generation, 0) == "again"
    assert fan.counts(generation) == ("live", 1, 0, 1)


def test_part_buried_by_the_hard_cap_fails_its_barrier_at_the_next_look(fan: Fan, clock: Clock) -> None:
    """F47: nobody of ours was there when it died."""
    configure_queue(fan.db, "parts", max_reads=1, repark_budget=0)
    generation = fan.arm(2, on_failure=FAILURE)
    fan.read(qty=1, vt="1 s")
    for _ in range(3):
        clock.advance(2)
        fan.read(qty=1, vt="1 s")
    assert fan.queue().dead()
    assert fan.look(generation).state == "live"
    clock.advance(60)
    assert fan.sweep()[0].changed >= 1
    seen = fan.look(generation)
    assert (seen.state, "hard_cap" in seen.reason) == ("failed", True)
    assert len(fan.sent()) == 1
