"""Arriving: with the ack, once a part, and exactly one callback with the last."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest

from tests_integration.barrier.fan import Fan, part, place
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.verbs import refused, rows, scalar


def test_last_arrival_sends_the_callback(fan: Fan) -> None:
    generation = fan.arm(3)
    first, *rest = fan.read()
    assert [(row.outcome, row.fired) for row in fan.ack([first])] == [("done", False)]
    assert (fan.counts(generation), fan.sent()) == (("live", 1, 0, 2), [])
    assert [(row.outcome, row.fired) for row in fan.ack(rest)] == [("done", True)] * 2
    (callback,) = fan.sent()
    assert callback.message["kwargs"] == {"of": "x", "_pg_transport": True}
    assert callback.headers == {"pgqueue-barrier": {"barrier": "b", "generation": generation}}
    seen = fan.look(generation)
    assert (seen.state, seen.callback_queue, seen.callback_msg_id) == ("done", "total", callback.msg_id)
    assert fan.queue().ids() == []


def test_plain_callback_carries_no_mark(fan: Fan) -> None:
    fan.arm(1, callback={"queue": "total", "message": [1, 2], "headers": {"h": 1}, "priority": 4})
    fan.ack(fan.read())
    (callback,) = fan.sent()
    assert callback.message == [1, 2]
    assert callback.headers.keys() == {"h", "pgqueue-barrier"}


def test_ack_and_arrival_are_one(fan: Fan) -> None:
    generation = fan.arm(1)
    parts = fan.read()
    with fan.db.transaction(force_rollback=True):
        fan.ack(parts)
        assert fan.counts(generation) == ("done", 1, 0, 0)
    assert fan.counts(generation) == ("live", 0, 0, 1)
    assert (fan.sent(), len(fan.queue().ids())) == ([], 1)
    fan.ack(parts)
    assert len(fan.sent()) == 1


def test_second_ack_of_a_part_changes_nothing(fan: Fan) -> None:
    """F44"""
    generation = fan.arm(2)
    first, _ = fan.read()
    assert fan.ack([first])[0].outcome == "done"
    assert fan.ack([first])[0].outcome == "gone"
    assert fan.counts(generation) == ("live", 1, 0, 1)
    assert fan.ack([first, first])[0].outcome == "gone"
    assert fan.counts(generation) == ("live", 1, 0, 1)


def test_stale_receipt_arrives_nowhere(fan: Fan, clock: Clock) -> None:
    generation = fan.arm(2)
    old = fan.read(vt="1 s")
    clock.advance(2)
    new = fan.read()
    assert {row.outcome for row in fan.ack(old)} == {"stale"}
    assert fan.counts(generation) == ("live", 0, 0, 2)
    mixed = fan.ack([old[0], new[1]])
    assert sorted(row.outcome for row in mixed) == ["done", "stale"]
    assert fan.counts(generation) == ("live", 1, 0, 1)
    assert [one.state for one in fan.parts(generation)] == ["open", "done"]


def test_archived_part_arrives_too(fan: Fan) -> None:
    generation = fan.arm(2)
    fan.ack(fan.read(), archive=True)
    assert fan.counts(generation) == ("done", 2, 0, 0)
    assert scalar(fan.db, "select count(*) from pgqueue.a_parts") == 2


def test_results_come_in_the_order_of_parts(fan: Fan) -> None:
    """U87, U103: whatever the order of arrival; a list is one result."""
    generation = fan.arm(20)
    parts = fan.read()
    random.Random(7).shuffle(parts)
    for message in parts:
        n = message.message["n"]
        fan.ack([message], [[n] if n % 2 else {"n": n}])
    assert [one.result for one in fan.results(generation)] == [[n] if n % 2 else {"n": n} for n in range(20)]
    page = fan.results(generation, after=4, qty=3)
    assert [(one.part, one.state) for one in page] == [(5, "done"), (6, "done"), (7, "done")]


@pytest.mark.timeout(120)
def test_results_of_a_megabyte_each_come_in_order(fan: Fan) -> None:
    generation = fan.arm(100)
    for message in fan.read():
        fan.ack([message], [chr(97 + message.message["n"] % 26) * 1_000_000])
    heads: list[str] = []
    for after in range(-1, 99, 10):
        heads += [one.result[0] for one in fan.results(generation, after=after, qty=10)]
    assert heads == [chr(97 + n % 26) for n in range(100)]
    assert len(fan.sent()) == 1


def test_result_beyond_the_limit_is_refused_and_nothing_is_acked(row_fan: Fan) -> None:
    """B33"""
    generation = row_fan.arm(1)
    parts = row_fan.read()
    refused("PQ003", lambda: row_fan.ack(parts, ["x" * 16_777_216]))
    refused("PQ003", lambda: row_fan.arrive(generation, 0, "x" * 16_777_216))
    assert row_fan.counts(generation) == ("live", 0, 0, 1)
    assert len(row_fan.queue().ids()) == 1


def test_answers_name_what_happened(fan: Fan) -> None:
    """B32"""
    generation = fan.arm(2)
    assert fan.arrive(generation, 0) == "arrived"
    assert fan.arrive(generation, 0) == "again"
    assert fan.arrive(generation, 2) == "unknown"
    assert fan.arrive(generation, -1) == "unknown"
    assert fan.arrive(generation + 1, 0) == "unknown"
    assert fan.arrive(generation, 1, key="other") == "unknown"
    assert fan.counts(generation) == ("live", 1, 0, 1)
    assert fan.arrive(generation, 1) == "fired"
    assert fan.arrive(generation, 1) == "ended"
    assert len(fan.sent()) == 1


def test_arrival_after_the_abort_is_named(fan: Fan) -> None:
    """B32, U91: the first abort wins, the others are told; no part revives the barrier."""
    generation = fan.arm(2)
    assert fan.abort(reason="no\x07pe") == "aborted"
    assert fan.abort() == "ended"
    assert fan.abort("nobody") == "unknown"
    assert fan.arrive(generation, 0) == "ended"
    fan.ack(fan.read())
    assert fan.look(generation).state == "aborted"
    assert (fan.look(generation).reason, fan.sent()) == ("nope", [])


def test_one_call_serves_parts_of_many_barriers(fan: Fan) -> None:
    generations = [fan.arm(2, key=f"b{n}") for n in range(40)]
    parts = fan.read()
    random.Random(3).shuffle(parts)
    first, second = parts[:50], parts[50:]
    fan.ack(first)
    assert len(fan.sent()) == sum(fan.look(generation).state == "done" for generation in generations)
    fan.ack(second)
    assert {fan.counts(generation) for generation in generations} == {("done", 2, 0, 0)}
    assert len(fan.sent()) == 40


def test_foreign_message_can_not_arrive_for_a_part(fan: Fan) -> None:
    """Whoever may send can write any header; only the message that the member row names is the part."""
    generation = fan.arm([part(0)])
    fan.queue("total").send()
    forged = {"pgqueue-part": {"barrier": "b", "generation": generation, "part": 0}}
    fan.queue().send({"n": "forged"}, headers=forged)
    fan.queue("total").send({"n": "forged"}, headers=forged)
    true, false = sorted(fan.read(), key=lambda message: message.msg_id)
    assert place(false) == place(true)
    assert fan.ack([false])[0].outcome == "done"
    # ids of two queues can be the same number
    others = [message._replace(headers=forged) for message in fan.read(queue="total")]
    assert {row.outcome for row in fan.ack(others, queue="total")} == {"done"}
    assert fan.counts(generation) == ("live", 0, 0, 1)
    fan.ack([true])
    assert fan.counts(generation) == ("done", 1, 0, 0)


def test_part_that_was_sent_again_by_hand_arrives(fan: Fan) -> None:
    generation = fan.arm(2)
    first, second = fan.read()
    for _ in range(2):
        fan.queue().call("bury", msg_id=first.msg_id, reason="x", receipt=first.receipt)
        fan.queue().rows("redrive")
        (first,) = fan.read()
    assert place(first) == (generation, 0)
    fan.ack([second, first], ["b", "a"])
    assert fan.counts(generation) == ("done", 2, 0, 0)
    assert [one.result for one in fan.results(generation)] == ["a", "b"]


def test_callback_that_can_not_be_sent_keeps_the_last_part(fan: Fan) -> None:
    """F81: never acked without its follow-up."""
    generation = fan.arm(1)
    parts = fan.read()
    scalar(fan.db, "select pgqueue.drop_queue('total', true)")
    refused("PQ001", lambda: fan.ack(parts))
    assert fan.counts(generation) == ("live", 0, 0, 1)
    assert len(fan.queue().ids()) == 1
    scalar(fan.db, "select pgqueue.create_queue('total', %s)", fan.kind)
    fan.ack(parts)
    assert (fan.counts(generation), len(fan.sent())) == (("done", 1, 0, 0), 1)


def test_progress_is_shown_and_the_missing_are_named(fan: Fan, clock: Clock) -> None:
    generation = fan.arm([part(n) for n in range(4)])
    parts = fan.read(qty=3)
    fan.ack(parts[:1])
    fan.queue().call("bury", msg_id=parts[1].msg_id, reason="lame", receipt=parts[1].receipt)
    seen = fan.look(generation)
    assert (seen.parts, seen.done, seen.open, float(seen.progress)) == (4, 1, 3, 0.25)
    missing = fan.missing()
    assert [(one.part, one.state) for one in missing] == [(1, "dead"), (2, "in_flight"), (3, "ready")]
    assert (missing[0].error, missing[1].error) == ("lame", None)
    assert fan.missing("nobody") == []


@pytest.mark.parametrize(
    "arrays",
    [
        ([1, 2], [1, 2], [1], [0, 1]),
        ([1, 2], [1, 2], [1, 1], [0]),
        ([1, 2], [1], [1, 1], None),
        ([1, None], [1, 2], [1, 1], [0, 1]),
    ],
)
def test_arrays_of_different_lengths_are_refused(row_fan: Fan, arrays: tuple[Any, ...]) -> None:
    row_fan.arm(2)
    refused(
        "PQ002",
        lambda: row_fan.db.execute(
            "select * from pgqueue.barrier_ack('parts', %s, %s, %s, %s)", list(arrays)
        ),
    )


def test_no_parts_at_all_are_fine(row_fan: Fan) -> None:
    assert row_fan.ack([]) == []
    assert row_fan.bury([]) == []


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_arrivals_work_under_every_isolation_level(fan: Fan, level: str) -> None:
    fan.db.execute(f"set default_transaction_isolation = '{level}'".encode())
    generation = fan.arm(2)
    for message in fan.read():
        fan.ack([message])
    assert (fan.counts(generation), len(fan.sent())) == (("done", 2, 0, 0), 1)


def test_counts_can_not_leave_their_bounds(row_fan: Fan) -> None:
    generation = row_fan.arm(1)
    with pytest.raises(psycopg.errors.CheckViolation):
        row_fan.db.execute("update pgqueue.barrier set open = -1 where generation = %s", [generation])
    assert rows(row_fan.db, "select 1 from pgqueue.barrier where open < 0") == []
