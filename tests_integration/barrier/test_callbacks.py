"""The guard of the callback: data in the database says whether a run of it has finished."""

from __future__ import annotations

from typing import Any

import pytest

from pgqueue.barrier.model import TRANSPORT_MARK
from tests_integration.barrier.fan import Fan
from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.verbs import scalar


@pytest.fixture
def fired(fan: Fan) -> tuple[Fan, int]:
    generation = fan.arm(1)
    fan.ack(fan.read())
    return fan, generation


def ask(fan: Fan, message: Any, generation: int, queue: str = "total") -> str:
    answer: str = scalar(
        fan.db, "select pgqueue.barrier_callback(%s, %s, %s)", queue, message.msg_id, generation
    )
    return answer


def finish(fan: Fan, message: Any, generation: int, **more: Any) -> str:
    answer: str = scalar(
        fan.db,
        "select pgqueue.barrier_finish('total', %s, %s, %s, %s)",
        message.msg_id,
        more.get("receipt", message.receipt),
        generation,
        more.get("archive", False),
    )
    return answer


def test_sql_and_python_have_the_same_mark(row_fan: Fan) -> None:
    assert scalar(row_fan.db, "select pgqueue.transport_mark()") == TRANSPORT_MARK


def test_finished_callback_is_not_due_again(fired: tuple[Fan, int], clock: Clock) -> None:
    """U107, U111: it may come again when its lease was lost; then the first run has finished."""
    fan, generation = fired
    (first,) = fan.read(queue="total", vt="1 s")
    assert ask(fan, first, generation) == "due"
    clock.advance(2)
    (second,) = fan.read(queue="total")
    assert ask(fan, second, generation) == "due"
    assert finish(fan, first, generation) == "stale"
    assert ask(fan, second, generation) == "finished"
    assert fan.look(generation).callback_finished_at.timestamp() == START.timestamp() + 2
    assert finish(fan, second, generation) == "done"
    assert fan.look(generation).callback_finished_at.timestamp() == START.timestamp() + 2
    assert fan.queue("total").ids() == []


def test_finishing_with_effects_is_rolled_back_with_them(fired: tuple[Fan, int]) -> None:
    fan, generation = fired
    (callback,) = fan.read(queue="total")
    with fan.db.transaction(force_rollback=True):
        assert finish(fan, callback, generation) == "done"
    assert ask(fan, callback, generation) == "due"
    assert fan.look(generation).callback_finished_at is None


def test_finished_callback_is_archived_where_asked(fired: tuple[Fan, int]) -> None:
    fan, generation = fired
    (callback,) = fan.read(queue="total")
    assert finish(fan, callback, generation, archive=True) == "done"
    assert scalar(fan.db, "select count(*) from pgqueue.a_total") == 1


def test_callback_that_was_sent_again_by_hand_is_guarded_too(fired: tuple[Fan, int]) -> None:
    fan, generation = fired
    (first,) = fan.read(queue="total")
    fan.queue("total").call("bury", msg_id=first.msg_id, reason="x", receipt=first.receipt)
    fan.queue("total").rows("redrive")
    (second,) = fan.read(queue="total")
    assert ask(fan, second, generation) == "due"
    assert finish(fan, second, generation) == "done"
    assert ask(fan, second, generation) == "finished"


def test_forged_callback_neither_runs_as_one_nor_stops_the_true_one(fired: tuple[Fan, int]) -> None:
    fan, generation = fired
    (true,) = fan.read(queue="total")
    told = {"pgqueue-barrier": {"barrier": "b", "generation": generation}}
    fan.queue("total").send({"n": 1}, headers=told)
    (forged,) = fan.read(queue="total")
    assert ask(fan, forged, generation) == "unknown"
    assert finish(fan, forged, generation) == "done"
    assert ask(fan, true, generation) == "due"
    assert ask(fan, true, generation, queue="parts") == "unknown"
    assert ask(fan, true, generation + 1) == "unknown"


def test_ring_for_a_barrier_that_has_sent_nothing_yet_wakes_nobody(row_fan: Fan) -> None:
    """What a part's transaction gives after its commit, whether it was the last or not."""
    generation = row_fan.arm(2)
    assert (
        scalar(row_fan.db, "select pgqueue.barrier_ring(generations => %s)", [generation, generation + 1])
        is False
    )
