from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest

from pgqueue.consumer.record import WAITING, Row
from pgqueue.consumer.report import Beat, Phase, QueueCounts
from pgqueue.daemon.fleet import SETTLE_SECONDS, Fleet
from pgqueue.daemon.model import FleetSettings, Leaving
from pgqueue.daemon.settlement import Settler
from tests.consumer.conftest import Clock, SyncScript
from tests.daemon.conftest import PLAN, beat, row, view


class Process:
    """What a fleet knows as a worker, without a process."""

    def __init__(self, number: int, clock: Clock) -> None:
        self.number, self.clock = number, clock
        self.pid = 100 + number
        self.started_at = self.heard_at = clock.now
        self.beat: Beat = beat()
        self.plans = {0: PLAN}
        self.renewed: dict[Row, float] = {}
        self.leaving: Leaving | None = None
        self.kill_at: float | None = None
        self.killed = self.was_silent = self.was_blocked = False
        self.held: list[Row] = []
        self.handled = 0
        self.code: int | None = None
        self.asked: list[object] = []

    @property
    def uptime(self) -> float:
        return self.clock.now - self.started_at

    def view(self) -> Any:
        return view(
            *self.held, number=self.number, pid=self.pid, uptime=self.uptime, silent_for=self.clock.now - self.heard_at,
            beat=self.beat, plans=self.plans, leaving=self.leaving, handled=self.handled,
        )  # fmt: skip

    def rows(self) -> list[Row]:
        return self.held

    def poll(self) -> int | None:
        return self.code

    def drain(self) -> None:
        self.asked.append("drain")

    def stop(self, number: signal.Signals) -> None:
        self.asked.append(number)

    def kill(self) -> None:
        self.killed, self.code = True, -9

    def was_killed(self) -> bool:
        return self.killed

    def bury(self) -> None:
        pass


Make = Callable[..., Fleet]


@pytest.fixture
def runner() -> SyncScript:
    return SyncScript()


@pytest.fixture
def started() -> list[Process]:
    return []


@pytest.fixture
def make(clock: Clock, runner: SyncScript, started: list[Process]) -> Make:
    def start(number: int) -> Any:
        started.append(Process(number, clock))
        return started[-1]

    def fleet(processes: int = 1, **rest: Any) -> Fleet:
        settler = Settler(lambda: runner, now=clock, chance=lambda: 0.5)
        made = Fleet(
            FleetSettings(processes, grace=5.0, **rest),
            start,
            settler,
            refusals=frozenset({3, 5}),
            final=frozenset({5}),
            now=clock,
        )
        made.look()
        return made

    return fleet


def pass_time(fleet: Fleet, clock: Clock, seconds: float) -> None:
    """Let time pass, with all workers beating."""
    clock.now += seconds
    for worker in fleet.workers:
        worker.heard_at = clock.now
    fleet.look()


async def settled(fleet: Fleet) -> None:
    await asyncio.gather(*fleet.tasks)


async def test_dead_worker_is_replaced_and_what_it_held_comes_back(
    make: Make, clock: Clock, started: list[Process], runner: SyncScript
) -> None:
    fleet = make(2)
    pass_time(fleet, clock, 20)
    started[1].held = [row(1, since=clock.now), row(2, state=WAITING)]
    started[1].code = -11
    fleet.look()
    assert [worker.number for worker in started] == [0, 1, 1]
    await settled(fleet)
    assert (runner.settled("retry"), runner.settled("release")) == ([1], [2])
    assert fleet.view().counts.deaths == {"crashed": 1}


async def test_worker_that_dies_young_is_started_again_after_a_pause(
    make: Make, clock: Clock, started: list[Process]
) -> None:
    fleet = make()
    for pause in (2, 4, 6):
        started[-1].code = 1
        fleet.look()
        count = len(started)
        pass_time(fleet, clock, pause - 0.1)
        assert len(started) == count
        pass_time(fleet, clock, 0.1)
        assert len(started) == count + 1
    assert fleet.view().crashes == [3]
    pass_time(fleet, clock, 10)
    assert fleet.view().crashes == [0], "it has lived long enough"


async def test_process_that_the_system_refuses_is_asked_for_again(clock: Clock, runner: SyncScript) -> None:
    asked: list[float] = []

    def start(_: int) -> Any:
        asked.append(clock.now)
        raise BlockingIOError("no more processes")

    fleet = Fleet(FleetSettings(), start, Settler(lambda: runner, now=clock), now=clock)
    for _ in range(7):
        fleet.look()
        clock.now += 1
    assert asked == [0, 2, 6]
    assert fleet.view().crashes == [3]


async def test_worker_refused_before_any_consumed_ends_the_fleet(make: Make, started: list[Process]) -> None:
    fleet = make()
    started[0].beat, started[0].plans = beat(Phase.STARTING), {}
    started[0].code = 3
    fleet.look()
    fleet.look()
    assert (fleet.refused, len(started)) == (3, 1)


async def test_worker_refused_after_others_have_consumed_is_a_crash(
    make: Make, started: list[Process]
) -> None:
    fleet = make()
    fleet.look()
    started[0].beat, started[0].code = beat(Phase.STARTING), 3
    fleet.look()
    assert (fleet.refused, fleet.view().crashes) == (None, [1])


async def test_worker_that_a_migration_ends_is_not_started_again_although_it_has_consumed(
    make: Make, clock: Clock, started: list[Process]
) -> None:
    fleet = make(2)
    pass_time(fleet, clock, 20)
    started[0].handled = 9
    started[0].code = 5
    fleet.look()
    pass_time(fleet, clock, 60)
    assert (fleet.refused, len(started), fleet.view().counts.deaths) == (5, 2, {})


async def test_stale_worker_drains_while_another_takes_its_place_and_is_killed_when_only_what_hangs_is_left(
    make: Make, clock: Clock, started: list[Process], runner: SyncScript
) -> None:
    fleet = make()
    stale = started[0]
    stale.held = [row(1, since=0.0), row(2, since=58.0), row(3, state=WAITING)]
    pass_time(fleet, clock, 60)
    fleet.look()
    assert stale.asked == ["drain"]
    assert len(started) == 2
    stale.beat, stale.held = beat(Phase.QUIET), stale.held[:2]
    pass_time(fleet, clock, 1)
    assert not stale.was_killed(), "another handler still has its grace"
    stale.held = stale.held[:1]
    pass_time(fleet, clock, 1)
    assert stale.was_killed()
    fleet.look()
    await settled(fleet)
    assert runner.settled("retry") == [1]
    assert [worker.pid for worker in fleet.workers] == [started[1].pid]


async def test_others_in_a_stale_worker_get_their_grace_and_are_released_uncounted(
    make: Make, clock: Clock, started: list[Process], runner: SyncScript
) -> None:
    fleet = make()
    started[0].held = [row(1, since=0.0), row(2, since=58.0)]
    pass_time(fleet, clock, 60)
    pass_time(fleet, clock, 4.9)
    assert not started[0].was_killed()
    pass_time(fleet, clock, 0.2)
    fleet.look()
    await settled(fleet)
    assert (runner.settled("retry"), runner.settled("release")) == ([1], [2])


async def test_silent_worker_that_is_stale_is_killed_at_once_and_all_that_ran_is_to_blame(
    make: Make, clock: Clock, started: list[Process], runner: SyncScript
) -> None:
    fleet = make()
    started[0].held = [row(1, since=0.0), row(2, since=58.0), row(3, state=WAITING)]
    clock.now += 60
    fleet.look()
    assert started[0].was_killed()
    fleet.look()
    await settled(fleet)
    assert (sorted(runner.settled("retry")), runner.settled("release")) == ([1, 2], [3])


async def test_leases_of_a_silent_worker_are_renewed_every_third_of_vt(
    make: Make, clock: Clock, started: list[Process], runner: SyncScript
) -> None:
    fleet = make()
    started[0].held = [row(1, since=0.0), row(2, state=WAITING)]
    for _ in range(40):
        clock.now += 1
        fleet.look()
        await settled(fleet)
    assert [call.params[0] for call in runner.named("message.set_vt_batch")] == [[1]] * 4
    assert not started[0].was_killed()


async def test_recycled_worker_may_take_its_time(make: Make, clock: Clock, started: list[Process]) -> None:
    fleet = make(max_messages=5)
    pass_time(fleet, clock, 20)
    started[0].handled = 5
    started[0].held = [row(1, since=20.0)]
    pass_time(fleet, clock, 1)
    fleet.look()
    assert (started[0].asked, len(started)) == (["drain"], 2)
    pass_time(fleet, clock, 50)
    assert not started[0].was_killed()
    pass_time(fleet, clock, 10)
    assert started[0].leaving is Leaving.STALE, "as any other it may not hang for ever"


async def test_no_more_than_one_worker_a_place_is_on_its_way_out_for_recycling(
    make: Make, clock: Clock, started: list[Process]
) -> None:
    fleet = make(max_messages=1)
    for _ in range(5):
        pass_time(fleet, clock, 11)
        for worker in started:
            worker.handled = 5
            worker.held = [row(1, since=clock.now)]
    assert len(started) == 2


async def test_drained_worker_that_doesnt_end_is_killed(
    make: Make, clock: Clock, started: list[Process]
) -> None:
    fleet = make(max_messages=1)
    pass_time(fleet, clock, 20)
    started[0].handled = 1
    fleet.look()
    started[0].beat = beat(Phase.QUIET)
    fleet.look()
    pass_time(fleet, clock, SETTLE_SECONDS + 0.1)
    assert started[0].was_killed()


async def test_stop_is_passed_on_and_nothing_is_started_any_more(
    make: Make, clock: Clock, started: list[Process]
) -> None:
    fleet = make(2)
    fleet.stop(signal.SIGINT)
    assert [worker.asked for worker in started] == [[signal.SIGINT]] * 2
    started[0].code, started[1].code = 0, -11
    pass_time(fleet, clock, 60)
    assert (fleet.workers, len(started), fleet.codes) == ([], 2, [0, -11])


async def test_worker_that_is_stopped_before_it_handles_signals_ends_well(
    make: Make, started: list[Process]
) -> None:
    fleet = make()
    fleet.stop(signal.SIGTERM)
    started[0].plans, started[0].code = {}, -signal.SIGTERM
    fleet.look()
    assert fleet.codes == [0]


async def test_one_deadline_holds_for_all_who_were_told_to_stop(
    make: Make, clock: Clock, started: list[Process], runner: SyncScript
) -> None:
    fleet = make()
    started[0].held = [row(1, since=0.0), row(2, state=WAITING)]
    fleet.stop(signal.SIGTERM)
    pass_time(fleet, clock, 5.0 + SETTLE_SECONDS - 0.1)
    assert not started[0].was_killed()
    pass_time(fleet, clock, 0.2)
    assert started[0].was_killed()
    fleet.look()
    await settled(fleet)
    assert sorted(runner.settled("release")) == [1, 2], "it was stopped: nothing is to blame"
    assert fleet.killed_at_stop


@pytest.mark.parametrize(("lag", "killed"), [(0.0, False), (1.0, True)])
async def test_second_signal_kills_at_once_who_cant_hear_it(
    make: Make, started: list[Process], lag: float, killed: bool
) -> None:
    fleet = make()
    started[0].beat = beat(loop_lag=lag)
    fleet.stop(signal.SIGTERM)
    fleet.stop(signal.SIGTERM)
    fleet.look()
    assert started[0].killed is killed


async def test_counts_of_a_worker_outlive_it(make: Make, started: list[Process]) -> None:
    fleet = make()
    started[0].beat = beat(queues={"orders": QueueCounts(5, 4, 2.0, 1, {"delete": 3})})
    started[0].code = 0
    fleet.look()
    assert fleet.view().counts.retired == {"orders": QueueCounts(5, 4, 2.0, 1, {"delete": 3})}
