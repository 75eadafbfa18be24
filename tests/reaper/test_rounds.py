"""One run of a chore: bounded, each queue apart, nothing after the lease is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pgqueue.barrier.model import Swept
from pgqueue.call import Call
from pgqueue.errors import DatabaseError, PgQueueError, QueueBusy, QueueNotFound, Unavailable
from pgqueue.leadership.model import Runner
from pgqueue.queue.model import Upkeep
from pgqueue.reaper.chores import CHORES
from pgqueue.reaper.model import Chore, Done, Moved
from pgqueue.reaper.rounds import run_round


class Port:
    """A runner that answers each name from a list, then with nothing left."""

    def __init__(self, queues: Sequence[str] = (), **answers: list[Any]) -> None:
        self.queues = queues
        self.answers = {name.replace("_", ".", 1): list(given) for name, given in answers.items()}
        self.called: list[tuple[str, str | None]] = []
        self.sql: list[str] = []

    async def run(self, call: Call[Any]) -> Any:
        self.called.append((call.name, call.queue))
        self.sql.append(call.sql)
        if call.name == "reaper.queues":
            return self.queues
        given = self.answers.get(call.name, [])
        answer = (
            given.pop(0)
            if given
            else {"barrier.sweep": None, "queue.maintain": Upkeep(0, truncated=False)}.get(call.name, 0)
        )
        if isinstance(answer, Exception):
            raise answer
        return answer


def chore(name: str) -> Chore:
    return next(chore for chore in CHORES if chore.name == name)


def counting(rows: list[int | Exception], *, each_queue: bool = False) -> tuple[Chore, list[str]]:
    """Make a chore of steps that move so many rows, or fail; and the list of where they were taken."""
    taken: list[str] = []

    async def step(_runner: Runner, queue: str) -> Moved:
        taken.append(queue)
        moved = rows.pop(0) if rows else 0
        if isinstance(moved, Exception):
            raise moved
        return Moved(moved, again=moved > 0)

    return Chore("test", 1, step, each_queue=each_queue, most_steps=3), taken


def always() -> bool:
    return True


async def test_steps_go_on_until_nothing_is_left() -> None:
    made, taken = counting([5, 3, 0, 9])
    assert await run_round(made, Port(), always) == Done(8)
    assert len(taken) == 3


async def test_a_round_is_bounded_and_says_that_there_is_more() -> None:
    made, taken = counting([5] * 100)
    assert await run_round(made, Port(), always) == Done(15, more=True)
    assert len(taken) == 3


async def test_each_queue_gets_its_steps_also_after_one_that_failed() -> None:
    """U131"""
    made, taken = counting([1, 0, QueueBusy("locked"), 2, 0], each_queue=True)
    done = await run_round(made, Port(["a", "b", "c"]), always)
    assert taken == ["a", "a", "b", "c", "c"]
    assert done.moved == 3
    assert done.error is not None
    assert done.error.startswith("b: locked")


async def test_a_queue_that_was_dropped_meanwhile_is_no_error() -> None:
    made, taken = counting([QueueNotFound("gone"), 1], each_queue=True)
    assert await run_round(made, Port(["a", "b"]), always) == Done(1)
    assert taken == ["a", "b", "b"]


async def test_a_database_that_is_away_is_not_asked_for_each_queue() -> None:
    made, taken = counting([Unavailable("down")] * 3, each_queue=True)
    done = await run_round(made, Port(["a", "b", "c"]), always)
    assert taken == ["a"]
    assert done.error is not None


async def test_no_step_is_taken_after_the_lease_is_gone() -> None:
    """U139"""
    made, taken = counting([5] * 100)
    left = iter([True, True, False])
    assert await run_round(made, Port(), lambda: next(left)) == Done(10)
    assert len(taken) == 2


async def test_a_fault_of_a_chore_is_reported_and_ends_nothing() -> None:
    """U136"""
    made, _ = counting([4, ZeroDivisionError("bug")])
    done = await run_round(made, Port(), always)
    assert done.moved == 4
    assert done.error == "this is a fault of pgqueue: ZeroDivisionError: bug"


async def test_reported_errors_are_bounded_and_carry_no_password() -> None:
    failure = DatabaseError("postgresql://me:hunter2@host/db " + "x" * 5000)
    made, _ = counting([failure])
    done = await run_round(made, Port(), always)
    assert done.error is not None
    assert "hunter2" not in done.error
    assert len(done.error) <= 1000


async def test_many_failures_are_told_as_the_first_and_their_number() -> None:
    failures: list[int | Exception] = [QueueBusy("locked") for _ in range(3)]
    made, _ = counting(failures, each_queue=True)
    done = await run_round(made, Port(["a", "b", "c"]), always)
    assert done.error is not None
    assert done.error.startswith("a: locked")
    assert done.error.endswith("(and 2 more)")


async def test_what_a_swept_barrier_sent_is_rung_for() -> None:
    port = Port(barrier_sweep=[Swept("k", 7, 1), Swept("j", 8, 0)])
    done = await run_round(chore("barriers"), port, always)
    assert done == Done(1)
    names = [name for name, _ in port.called]
    assert names == ["barrier.sweep", "barrier.ring", "barrier.sweep", "barrier.sweep"]
    assert "array[7]" in port.sql[1]


async def test_a_barrier_that_needed_nothing_does_not_end_the_round() -> None:
    port = Port(barrier_sweep=[Swept("j", 8, 0)] * 3)
    await run_round(chore("barriers"), port, always)
    assert len(port.called) == 4


async def test_every_queue_is_kept_small_until_nothing_moves() -> None:
    port = Port(["orders", "mails"], queue_maintain=[Upkeep(3, truncated=False)])
    assert await run_round(chore("queues"), port, always) == Done(3)
    assert port.called == [
        ("reaper.queues", None),
        ("queue.maintain", "orders"),
        ("queue.maintain", "orders"),
        ("queue.maintain", "mails"),
    ]


@pytest.mark.parametrize(
    ("name", "verb"),
    [("ended_barriers", "barrier.forget"), ("old_claims", "claim.forget"), ("old_replies", "reply.forget")],
)
async def test_what_is_kept_no_longer_is_forgotten(name: str, verb: str) -> None:
    answers: dict[str, Any] = {verb.replace(".", "_"): [1000, 7]}
    port = Port(**answers)
    assert await run_round(chore(name), port, always) == Done(1007)
    assert [called for called, _ in port.called] == [verb] * 3


@pytest.mark.parametrize("failure", [Unavailable("down"), QueueBusy("locked")])
async def test_queues_that_can_not_be_listed_are_an_error_of_the_chore(failure: PgQueueError) -> None:
    class Down(Port):
        async def run(self, call: Call[Any]) -> Any:  # noqa: ARG002
            raise failure

    done = await run_round(chore("queues"), Down(), always)
    assert done.error is not None
