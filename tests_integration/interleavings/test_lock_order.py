"""Every write of many rows locks them in the order of msg_id, whatever the order of its array."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.verbs import Queue, at_once
from tests_integration.interleavings.conftest import StartBlocked

MINUTE = timedelta(minutes=1)

BATCH: dict[str, dict[str, Any]] = {
    "delete_batch": {},
    "archive_batch": {},
    "release_batch": {},
    "retry_batch": {"delays": [timedelta(0)] * 3},
    "bury_batch": {"reasons": ["x"] * 3},
}


@pytest.mark.parametrize("verb", BATCH)
@pytest.mark.parametrize("fenced", [False, True])
@pytest.mark.parametrize("cached", [None, "empty", "full"])
def test_batch_locks_in_the_order_of_ids_and_not_of_the_array(
    orders: Queue,
    other: Queue,
    third: Queue,
    start_blocked: StartBlocked,
    verb: str,
    fenced: bool,
    cached: str | None,
) -> None:
    # Deadlocks where rows were locked in the order of the array: the batch would hold 3 and 2, wait for 1,
    # and then the first session would wait for 3.
    if cached == "empty":
        other.connection.execute("set plan_cache_mode = force_generic_plan")
        other.rows(verb, msg_ids=[1, 2, 3], receipts=[1, 2, 3] if fenced else None, **BATCH[verb])
    ids = orders.send_many(3)
    receipt = orders.read(qty=3)[0].receipt
    if cached == "full":
        orders.send_many(3000)
        orders.connection.execute("analyze pgqueue.r_orders")
        other.connection.execute("set plan_cache_mode = force_generic_plan")
    with orders.connection.transaction():
        orders.call("set_vt", msg_id=ids[0], vt=MINUTE)
        backwards = start_blocked(
            other,
            lambda q: q.outcomes(
                verb, msg_ids=ids[::-1], receipts=[receipt] * 3 if fenced else None, **BATCH[verb]
            ),
        )
        assert third.outcomes("set_vt_batch", msg_ids=ids[1:], vt=MINUTE) == dict.fromkeys(ids[1:], "done")
        orders.call("set_vt", msg_id=ids[2], vt=MINUTE)
    assert backwards.result() == dict.fromkeys(ids, "done")


def test_rows_locked_in_the_order_of_an_array_do_deadlock(
    orders: Queue, other: Queue, start_blocked: StartBlocked
) -> None:
    """The negative control of the test above: the same dance with two single deletes from the far end."""
    ids = orders.send_many(2)
    orders.connection.execute("begin")
    orders.call("set_vt", msg_id=ids[0], vt=MINUTE)

    def backwards(queue: Queue) -> None:
        with queue.connection.transaction():
            for msg_id in ids[::-1]:
                queue.call("delete", msg_id=msg_id)

    waiting = start_blocked(other, backwards)
    deadlocks = 0
    try:
        orders.call("set_vt", msg_id=ids[1], vt=MINUTE)
    except psycopg.errors.DeadlockDetected:
        deadlocks += 1
    orders.connection.execute("rollback")
    try:
        waiting.result()
    except psycopg.errors.DeadlockDetected:
        deadlocks += 1
    assert deadlocks == 1


@pytest.mark.parametrize("verb", ["delete_batch", "retry_batch", "archive_batch", "bury_batch"])
def test_opposite_batches_all_end(orders: Queue, four: list[Queue], verb: str) -> None:
    def many(queue: Queue, step: int) -> int:
        done = 0
        for _ in range(15):
            ids = orders_ids[::step]
            more: dict[str, object] = {}
            if verb == "retry_batch":
                more = {"delays": [timedelta(0)] * len(ids)}
            elif verb == "bury_batch":
                more = {"reasons": ["x"] * len(ids)}
            answered = queue.outcomes(verb, msg_ids=ids, **more)
            done += sum(outcome == "done" for outcome in answered.values())
        return done

    orders_ids = orders.send_many(100)
    done = at_once(*(partial(many, queue, step) for queue, step in zip(four, (1, -1, 1, -1), strict=True)))
    assert sum(done) == (6000 if verb == "retry_batch" else 100)
