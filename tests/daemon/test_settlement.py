from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pgqueue.consumer.record import ENDED, WAITING
from pgqueue.daemon.settlement import Death, Settler
from pgqueue.errors import DatabaseError, InvalidInput, QueueBusy, Unavailable
from pgqueue.message.model import Outcome
from tests.consumer.conftest import Clock, Said, SyncScript, ids_of
from tests.daemon.conftest import PLAN, row

PLANS = {0: PLAN}
KILLED = Death("SIGKILL", at=10.0)


@pytest.fixture
def runner() -> SyncScript:
    return SyncScript()


@pytest.fixture
def settler(runner: SyncScript) -> Settler:
    clock = Clock()

    async def pause(seconds: float) -> None:
        clock.now += seconds

    return Settler(lambda: runner, now=clock, pause=pause, chance=lambda: 0.5)


async def test_what_started_is_retried_with_the_cause_and_what_did_not_is_released(
    settler: Settler, runner: SyncScript
) -> None:
    rows = [row(1, attempt=3), row(2, state=WAITING), row(3, state=ENDED)]
    await settler.settle(rows, PLANS, KILLED, 0)
    assert (runner.settled("retry"), runner.settled("release")) == ([1, 3], [2])
    (call,) = runner.named("message.retry_batch")
    _ids, delays, errors, receipts = call.params
    assert (delays, receipts) == (["4.0 s", "1.0 s"], [1001, 1003])
    assert errors == ["worker process died: SIGKILL"] * 2
    assert settler.counts.settled == {("orders", "retry"): 2, ("orders", "release"): 1}


async def test_a_spared_process_blames_only_what_ran_past_health_stale(
    settler: Settler, runner: SyncScript
) -> None:
    rows = [row(1, since=0.0), row(2, since=50.0), row(3, state=ENDED)]
    await settler.settle(rows, PLANS, Death("SIGKILL by its supervisor", at=61.0, spares=True), 0)
    assert (runner.settled("retry"), runner.settled("release")) == ([1], [2, 3])
    (call,) = runner.named("message.retry_batch")
    assert "ran for 61 s, over health_stale (60 s)" in str(call.params)


async def test_each_message_is_settled_by_the_plan_of_its_claim(settler: Settler, runner: SyncScript) -> None:
    plans: dict[int, Any] = {0: PLAN, 1: replace(PLAN, number=1, queue="mails")}
    await settler.settle([row(1), row(2, plan=1), row(3, plan=2)], plans, KILLED, 0)
    assert [(call.queue, call.params[0]) for call in runner.calls] == [("orders", [1]), ("mails", [2])]


async def test_it_is_tried_again_while_the_database_is_away_until_the_leases_are_over(
    settler: Settler, runner: SyncScript
) -> None:
    runner.on("message.retry_batch", Unavailable("down"), Unavailable("down"))
    await settler.settle([row(1)], PLANS, KILLED, 0)
    assert len(runner.calls) == 3
    assert settler.counts.settled["orders", "retry"] == 1
    runner.on("message.retry_batch", *[Unavailable("down")] * 1000)
    await settler.settle([row(2)], PLANS, KILLED, 0)
    assert len(runner.calls) < 30


@pytest.mark.parametrize(
    "trouble",
    [
        DatabaseError("deadlock detected", sqlstate="40P01"),
        DatabaseError("disk full", sqlstate="53100"),
        DatabaseError("out of memory", sqlstate="53200"),
        QueueBusy("locked"),
    ],
)
async def test_it_is_tried_again_whatever_trouble_the_server_is_in(
    settler: Settler, runner: SyncScript, said: Said, trouble: Exception
) -> None:
    runner.on("message.retry_batch", trouble, trouble)
    await settler.settle([row(1)], PLANS, KILLED, 0)
    assert settler.counts.settled == {("orders", "retry"): 1}
    assert [event for _, event in said.events()] == ["worker.settled"]


async def test_queue_that_is_locked_keeps_those_of_no_other_one_waiting(
    settler: Settler, runner: SyncScript, said: Said
) -> None:
    def answer(call: Any) -> Any:
        if call.queue == "orders":
            raise QueueBusy("locked")
        return {2: Outcome.DONE}

    runner.on("message.retry_batch", *[answer] * 1000)
    plans: dict[int, Any] = {0: PLAN, 1: replace(PLAN, number=1, queue="mails")}
    await settler.settle([row(1), row(2, plan=1)], plans, KILLED, 0)
    assert [call.queue for call in runner.calls[:3]] == ["orders", "mails", "orders"]
    assert settler.counts.settled == {("mails", "retry"): 1}
    assert said.the("worker.unsettled")["queue"] == "orders"


async def test_one_refused_call_doesnt_keep_the_others_from_being_made(
    settler: Settler, runner: SyncScript
) -> None:
    runner.on("message.retry_batch", InvalidInput("no"))
    await settler.settle([row(1), row(2, state=WAITING)], PLANS, KILLED, 0)
    assert runner.settled("release") == [2]


async def test_what_was_settled_before_isnt_counted_again(settler: Settler, runner: SyncScript) -> None:
    runner.on("message.retry_batch", {1: Outcome.GONE, 2: Outcome.DONE})
    await settler.settle([row(1), row(2)], PLANS, KILLED, 0)
    assert settler.counts.settled == {("orders", "retry"): 1}


async def test_renewal_for_a_silent_worker_prolongs_by_its_vt(settler: Settler, runner: SyncScript) -> None:
    await settler.renew([row(1), row(2)], PLANS, 0)
    (call,) = runner.calls
    assert (call.name, call.params) == ("message.set_vt_batch", ([1, 2], 30.0, [1001, 1002]))
    assert settler.counts.renewed == {"orders": 2}


async def test_renewal_asks_for_no_more_than_a_call_takes(settler: Settler, runner: SyncScript) -> None:
    await settler.renew([row(number) for number in range(1, 10_502)], PLANS, 0)
    assert [len(ids_of(call)) for call in runner.calls] == [1000] * 10 + [501]
    assert settler.counts.renewed == {"orders": 10_501}


async def test_two_leases_of_one_message_are_renewed_each_by_itself(
    settler: Settler, runner: SyncScript
) -> None:
    await settler.renew([row(1), row(2), row(1)._replace(receipt=9)], PLANS, 0)
    assert [call.params[2] for call in runner.calls] == [[1001, 1002], [9]]


async def test_renewal_that_cant_be_asked_for_is_said_and_the_next_one_made(
    settler: Settler, runner: SyncScript, said: Said
) -> None:
    plans: dict[int, Any] = {0: replace(PLAN, vt=0.0), 1: replace(PLAN, number=1, queue="mails")}
    await settler.renew([row(1), row(2, plan=1)], plans, 0)
    assert [call.queue for call in runner.calls] == ["mails"]
    assert said.the("worker.unrenewed")["queue"] == "orders"
