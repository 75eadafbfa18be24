"""Reapers in virtual time: one sweeps, none twice, a failure of one chore slows no other, trouble is waited out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pgqueue.errors import ConfigurationError, DatabaseError, InvalidInput, Unavailable
from pgqueue.leadership.model import Runner, Terms
from pgqueue.reaper.loop import Reaper
from pgqueue.reaper.model import Chore, Moved, Report
from tests.leadership.server import Server, Way
from tests.simulation.virtual_time import VirtualLoop, simulate

TERMS = Terms(lease=10, interval=3)


def story(main: Callable[[Server], Coroutine[Any, Any, Any]]) -> Any:
    async def told(loop: VirtualLoop) -> Any:
        return await main(Server(loop))

    return simulate(told)


class Work:
    """A chore whose steps note who took them, and when."""

    def __init__(self, server: Server, name: str = "sweep", every: float = 5.0) -> None:
        self.server = server
        self.steps: list[tuple[float, Runner]] = []
        self.failure: Exception | None = None
        self.left = 0
        self.takes = 0.01
        self.chore = Chore(name, every, self.step)

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.steps]

    async def step(self, runner: Runner, _queue: str) -> Moved:
        self.steps.append((self.server.now, runner))
        await asyncio.sleep(self.takes)
        if self.failure:
            raise self.failure
        self.left, moved = max(0, self.left - 1), min(1, self.left)
        return Moved(moved, again=moved > 0)


def start(server: Server, name: str, *works: Work) -> tuple[Way, asyncio.Task[None]]:
    way = Way(server)
    reaper = Reaper(way, name, [work.chore for work in works], TERMS, chance=lambda: 1.0)
    return way, asyncio.create_task(reaper.run())


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_of_several_reapers_one_sweeps_and_the_others_only_ask() -> None:
    """U129"""

    async def main(server: Server) -> None:
        work = Work(server)
        reapers = [start(server, name, work) for name in ("one", "two", "three")]
        await asyncio.sleep(101)
        assert len(work.steps) == pytest.approx(20, abs=2)
        assert len({id(runner) for _, runner in work.steps}) == 1
        assert [set(way.names()) for way, _ in reapers[1:]] == [{"leadership.try"}] * 2
        await end(*(task for _, task in reapers))

    story(main)


def test_a_reaper_that_ends_gives_its_lease_back() -> None:
    async def main(server: Server) -> None:
        _, task = start(server, "one", Work(server))
        await asyncio.sleep(1)
        await end(task)
        assert server.row is not None
        assert server.row.holder is None

    story(main)


def test_a_chore_that_ran_under_one_leader_is_not_run_again_by_the_next() -> None:
    async def main(server: Server) -> None:
        work = Work(server, every=60)
        _, one = start(server, "one", work)
        await asyncio.sleep(1)
        await end(one)
        _, two = start(server, "two", work)
        await asyncio.sleep(50)
        assert len(work.steps) == 1
        await asyncio.sleep(15)
        assert len(work.steps) == 2
        await end(two)

    story(main)


def test_a_chore_that_takes_longer_than_the_lease_keeps_it_all_the_same() -> None:
    """U139: renewal doesn't wait for a chore."""

    async def main(server: Server) -> None:
        slow, quick = Work(server, "slow", 5), Work(server, "quick", 5)
        slow.takes = 35
        _, one = start(server, "one", slow, quick)
        other, two = start(server, "two", slow, quick)
        await asyncio.sleep(100)
        assert set(other.names()) == {"leadership.try"}
        assert len(quick.steps) == pytest.approx(20, abs=2)
        await end(one, two)

    story(main)


def test_a_leader_steps_down_in_the_middle_of_a_chore_when_its_renewal_fails() -> None:
    """U127"""

    async def main(server: Server) -> None:
        work = Work(server)
        work.left = 1_000_000
        work.takes = 0.5
        way, one = start(server, "one", work)
        await asyncio.sleep(1)
        way.cut = True
        way.slow["leadership.renew"] = 0.001
        await asyncio.sleep(3)
        steps = len(work.steps)
        await asyncio.sleep(3600)
        assert len(work.steps) == steps
        await end(one)

    story(main)


def test_a_server_that_is_down_is_left_alone_for_longer_and_swept_again_when_it_is_back() -> None:
    async def main(server: Server) -> None:
        work = Work(server, every=1)
        way, one = start(server, "one", work)
        await asyncio.sleep(5)
        way.cut = True
        before = len(way.called)
        await asyncio.sleep(60)
        assert len(way.called) - before < 40
        way.cut = False
        before = len(work.steps)
        await asyncio.sleep(20)
        assert len(work.steps) > before + 5
        await end(one)

    story(main)


def test_reports_that_can_not_be_written_are_no_reason_to_spin() -> None:
    async def main(server: Server) -> None:
        work = Work(server, every=0.1)
        way, one = start(server, "one", work)
        way.refusals["reaper.begin"] = DatabaseError("permission", sqlstate="42501")
        await asyncio.sleep(60)
        assert len(way.called) < 80
        await end(one)

    story(main)


@pytest.mark.parametrize("failure", [Unavailable("no"), DatabaseError("no"), ZeroDivisionError("bug")])
def test_a_chore_that_fails_is_tried_at_its_next_turn_and_slows_no_other(failure: Exception) -> None:
    """U131, U134, U136: the cadence moves before the attempt."""

    async def main(server: Server) -> None:
        bad, good = Work(server, "bad"), Work(server, "good")
        bad.failure = failure
        _, one = start(server, "one", bad, good)
        await asyncio.sleep(50)
        assert len(good.steps) == len(bad.steps) == pytest.approx(10, abs=1)
        assert {error is None for chore, _, error in server.ended if chore == "bad"} == {False}
        assert {error for chore, _, error in server.ended if chore == "good"} == {None}
        await end(one)

    story(main)


def test_failures_in_a_row_are_told_seldom_and_their_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "pgqueue.reaper")

    async def main(server: Server) -> None:
        work = Work(server, every=1)
        work.failure = DatabaseError("no")
        _, one = start(server, "one", work)
        await asyncio.sleep(29)
        work.failure = None
        await asyncio.sleep(10)
        await end(one)

    story(main)
    said = [str(record.msg) for record in caplog.records if "'sweep." in str(record.msg)]
    assert [line for line in said if "sweep.failed" in line][2:] == []
    assert sum("sweep.resumed" in line for line in said) == 1


def test_a_backlog_is_worked_off_in_bounded_runs_without_waiting_for_the_next_turn() -> None:
    async def main(server: Server) -> None:
        work = Work(server, every=60)
        work.left = 100
        _, one = start(server, "one", work)
        await asyncio.sleep(10)
        assert work.left == 0
        assert [moved for _, moved, _ in server.ended] == [20, 20, 20, 20, 20, 0]
        await end(one)

    story(main)


def test_a_reaper_that_was_stopped_does_nothing_more_once_it_goes_on() -> None:
    """F54: its lease lapsed while it stood still between two steps, and another one leads."""

    async def main(server: Server) -> None:
        work = Work(server, every=1)
        work.takes = 30  # stopped in its step, for longer than the lease
        work.left = 1_000_000
        way, one = start(server, "one", work)
        way.slow["leadership.renew"] = 30
        _, two = start(server, "two", work)
        await asyncio.sleep(25)
        assert [runner is way for _, runner in work.steps] == [True, False]
        await end(one, two)

    story(main)


def test_the_step_that_is_under_way_when_a_leader_ends_is_counted() -> None:
    """F54: counters match. What is begun is done by the server in any case."""

    async def main(server: Server) -> None:
        work = Work(server)
        work.left, work.takes = 1_000, 1.0
        _, one = start(server, "one", work)
        await asyncio.sleep(2.5)
        await end(one)
        assert server.ended == [("sweep", 3, None)]
        assert len(work.steps) == 3
        assert server.row is not None
        assert server.row.holder is None

    story(main)


def test_a_step_without_an_end_is_cut_off() -> None:
    async def main(server: Server) -> float:
        work = Work(server)
        work.takes = 1e6
        _, one = start(server, "one", work)
        await asyncio.sleep(1)
        began = server.now
        await end(one)
        return server.now - began

    assert story(main) == pytest.approx(2, abs=0.1)


def test_each_due_chore_runs_once_by_hand() -> None:
    async def main(server: Server) -> list[Report] | None:
        server.next_at["later"] = 100.0
        works = [Work(server, name) for name in ("first", "later", "bad")]
        works[2].failure = DatabaseError("no")
        reaper = Reaper(Way(server), "one", [work.chore for work in works], TERMS)
        reports = await reaper.once()
        assert server.row is not None
        assert server.row.holder is None
        return reports

    first, later, bad = story(main)
    assert (first.done.moved, first.done.error) == (0, None)
    assert later.done is None
    assert bad.done.error is not None


def test_by_hand_nothing_runs_while_another_one_leads() -> None:
    async def main(server: Server) -> None:
        work = Work(server)
        _, one = start(server, "one", work)
        await asyncio.sleep(1)
        before = len(work.steps)
        assert await Reaper(Way(server), "two", [work.chore], TERMS).once() is None
        assert len(work.steps) == before
        await end(one)

    story(main)


def test_a_reaper_of_no_name_or_with_two_chores_of_one_name_is_refused() -> None:
    """U127, U128"""

    async def main(server: Server) -> None:
        with pytest.raises(InvalidInput):
            Reaper(Way(server), " ", [])
        chore = Work(server).chore
        with pytest.raises(ConfigurationError):
            Reaper(Way(server), "one", [chore, chore])

    story(main)
