"""Any number of schedulers: each slot once, also when one is stopped or killed between its read and its write."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgqueue import AsyncPgQueue
from pgqueue.call import Call
from pgqueue.schedule.loop import fire_due
from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.waiting import eventually
from tests_integration.schedule.conftest import Schedules

ROOT = Path(__file__).resolve().parents[2]
MINUTE = timedelta(minutes=1)
FIVE = timedelta(minutes=5)

# Fires for ever. With "stop" it says that it has read, waits for a line before it writes, and says what came of it.
SCHEDULER = """
import asyncio, sys
from pgqueue import AsyncPgQueue
from pgqueue.schedule.loop import fire_due

class Stopping:
    def __init__(self, client):
        self.client = client
    async def run(self, call):
        if call.name == "schedule.fire" and "stop" in sys.argv:
            print("about to write", flush=True)
            sys.stdin.readline()
            fired = await self.client.run(call)
            print(fired.outcome, flush=True)
            return fired
        return await self.client.run(call)

async def main():
    async with AsyncPgQueue(sys.argv[1]) as client:
        print("ready", flush=True)
        while True:
            await fire_due(Stopping(client))
            await asyncio.sleep(0.01)

asyncio.run(main())
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(database: Database) -> Iterator[Start]:
    """Start a scheduler as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", SCHEDULER, database.conninfo, *words],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(child)
        assert said(child) == "ready"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


class Gate:
    """A scheduler's client that holds each write until it is let through."""

    def __init__(self, client: AsyncPgQueue) -> None:
        self.client = client
        self.has_read = asyncio.Event()
        self.may_write = asyncio.Event()

    async def run(self, call: Call[Any]) -> Any:
        if call.name == "schedule.fire":
            self.has_read.set()
            await self.may_write.wait()
        return await self.client.run(call)


@pytest.fixture
async def due(schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue) -> Schedules:
    """Make `tick` due: its slot is five past."""
    schedules.set(catch_up="all")
    await fire_due(scheduler)
    clock.advance(301)
    return schedules


async def test_of_five_that_have_read_the_same_slot_one_writes(
    due: Schedules, schedulers: Callable[[int], list[AsyncPgQueue]]
) -> None:
    """F58"""
    gates = [Gate(client) for client in schedulers(5)]
    steps = [asyncio.create_task(fire_due(gate)) for gate in gates]
    for gate in gates:
        await asyncio.wait_for(gate.has_read.wait(), 10)
    for gate in gates:
        gate.may_write.set()
    assert sorted(await asyncio.gather(*steps)) == [0, 0, 0, 0, 1]
    assert due.sent() == [START + FIVE]
    for gate in gates:
        await gate.client.close()


@pytest.mark.parametrize("later", [0, 4, 6, 60])
async def test_plan_that_was_held_back_changes_nothing_once_another_has_written(
    due: Schedules,
    clock: Clock,
    scheduler: AsyncPgQueue,
    schedulers: Callable[[int], list[AsyncPgQueue]],
    later: int,
) -> None:
    gate = Gate(schedulers(1)[0])
    step = asyncio.create_task(fire_due(gate))
    await asyncio.wait_for(gate.has_read.wait(), 10)
    clock.advance(60 * later)
    fired = await fire_due(scheduler)
    gate.may_write.set()
    assert await step == 0
    assert due.sent() == [START + n * FIVE for n in range(1, fired + 1)]
    await gate.client.close()


@pytest.mark.parametrize(
    ("policy", "expected"), [("latest", [65]), ("skip", [65]), ("all", [5 * n for n in range(1, 14)])]
)
async def test_plan_that_is_out_of_date_is_made_anew(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue, schedulers: Callable[[int], list[AsyncPgQueue]],
    policy: str, expected: list[int],
) -> None:  # fmt: skip
    """A scheduler that was stopped for an hour, all alone, fires what its policy allows now, not then."""
    schedules.set(catch_up=policy)
    await fire_due(scheduler)
    clock.advance(301)
    gate = Gate(schedulers(1)[0])
    step = asyncio.create_task(fire_due(gate))
    await asyncio.wait_for(gate.has_read.wait(), 10)
    clock.advance(3600)
    gate.may_write.set()
    await step
    await fire_due(scheduler)
    assert schedules.sent() == [START + n * MINUTE for n in expected]
    await gate.client.close()


async def test_slot_that_became_late_while_its_scheduler_was_stopped_is_skipped(
    schedules: Schedules,
    clock: Clock,
    scheduler: AsyncPgQueue,
    schedulers: Callable[[int], list[AsyncPgQueue]],
) -> None:
    schedules.set(catch_up="skip")
    await fire_due(scheduler)
    clock.advance(301)
    gate = Gate(schedulers(1)[0])
    step = asyncio.create_task(fire_due(gate))
    await asyncio.wait_for(gate.has_read.wait(), 10)
    clock.advance(61)
    gate.may_write.set()
    assert await step == 0
    assert await fire_due(scheduler) == 0
    assert schedules.sent() == []
    assert schedules.look().missed_from == START + FIVE
    await gate.client.close()


async def test_policy_that_was_changed_meanwhile_counts(
    due: Schedules, clock: Clock, scheduler: AsyncPgQueue, schedulers: Callable[[int], list[AsyncPgQueue]]
) -> None:
    clock.advance(1200)
    gate = Gate(schedulers(1)[0])
    step = asyncio.create_task(fire_due(gate))
    await asyncio.wait_for(gate.has_read.wait(), 10)
    due.set(catch_up="latest")
    gate.may_write.set()
    assert await step == 0
    assert await fire_due(scheduler) == 1
    await gate.client.close()


async def test_clock_that_goes_back_between_read_and_write_fires_nothing_that_is_to_come(
    due: Schedules, clock: Clock, scheduler: AsyncPgQueue, schedulers: Callable[[int], list[AsyncPgQueue]]
) -> None:
    """F61"""
    clock.advance(600)  # three slots are due
    gate = Gate(schedulers(1)[0])
    step = asyncio.create_task(fire_due(gate))
    await asyncio.wait_for(gate.has_read.wait(), 10)
    clock.advance(-400)
    gate.may_write.set()
    assert await step == 0
    assert await fire_due(scheduler) == 1
    assert due.sent() == [START + FIVE]
    await gate.client.close()


@pytest.mark.parametrize("change", ["pause_schedule('tick', 'x')", "delete_schedule('tick')"])
async def test_schedule_that_was_paused_or_deleted_meanwhile_is_not_fired(
    due: Schedules, schedulers: Callable[[int], list[AsyncPgQueue]], change: str
) -> None:
    gate = Gate(schedulers(1)[0])
    step = asyncio.create_task(fire_due(gate))
    await asyncio.wait_for(gate.has_read.wait(), 10)
    due.db.execute(f"select pgqueue.{change}".encode())
    gate.may_write.set()
    assert await step == 0
    assert due.sent() == []
    await gate.client.close()


async def test_schedule_that_somebody_holds_holds_up_no_other(
    due: Schedules, clock: Clock, scheduler: AsyncPgQueue, other: Schedules
) -> None:
    due.set("tock")
    await fire_due(scheduler)
    clock.advance(300)
    with other.db.transaction():
        other.db.execute("update pgqueue.schedule set priority = 1 where name = 'tick'")
        assert await fire_due(scheduler) == 1
        other.db.execute("update pgqueue.schedule set cron = 'x', timezone = 'Mars/X' where name = 'tock'")
        assert await fire_due(scheduler) == 0
    assert due.look().last_slot == START + FIVE


def test_scheduler_killed_between_its_read_and_its_write_loses_nothing(
    schedules: Schedules, clock: Clock, start: Start
) -> None:
    """F58, F62"""
    schedules.set(catch_up="all")
    planner = start()
    eventually(lambda: schedules.look().state == "active")
    planner.kill()
    planner.wait()
    doomed = start("stop")
    clock.advance(301)
    assert said(doomed) == "about to write"
    doomed.kill()
    doomed.wait()
    assert schedules.sent() == []
    start()
    assert eventually(schedules.sent) == [START + FIVE]
    assert schedules.look().last_slot == START + FIVE


def test_scheduler_stopped_between_its_read_and_its_write_fires_nothing_twice(
    schedules: Schedules, clock: Clock, start: Start
) -> None:
    """F58"""
    schedules.set(catch_up="all")
    stopped = start("stop")
    assert writes(stopped) == "planned"
    clock.advance(301)
    assert said(stopped) == "about to write"
    os.kill(stopped.pid, signal.SIGSTOP)
    start()
    assert eventually(schedules.sent) == [START + FIVE]
    os.kill(stopped.pid, signal.SIGCONT)
    assert goes_on(stopped) == "lost"
    assert schedules.sent() == [START + FIVE]


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline().strip()


def goes_on(child: subprocess.Popen[str]) -> str:
    """Let it write what it has in mind; return what came of it."""
    assert child.stdin
    child.stdin.write("\n")
    child.stdin.flush()
    return said(child)


def writes(child: subprocess.Popen[str]) -> str:
    assert said(child) == "about to write"
    return goes_on(child)


def kill_backend(db: psycopg.Connection, pid: int) -> None:
    db.execute("select pg_terminate_backend(%s, 5000)", [pid])


def test_scheduler_whose_session_dies_before_the_commit_has_fired_nothing(
    schedules: Schedules, clock: Clock, database: Database
) -> None:
    """F59: message and slot are one."""
    schedules.set()
    schedules.plan(START + FIVE)
    clock.advance(301)
    dying = Schedules(database.connect(autocommit=False))
    assert dying.fire(START + FIVE, START + 2 * FIVE) == "fired"
    assert schedules.fire(START + FIVE, START + 2 * FIVE) == "lost", "somebody is at it"
    kill_backend(schedules.db, dying.db.info.backend_pid)
    assert (schedules.sent(), schedules.look().last_slot) == ([], None)
    assert schedules.fire(START + FIVE, START + 2 * FIVE) == "fired"
    assert schedules.sent() == [START + FIVE]


@pytest.mark.timeout(120)
def test_five_schedulers_stopped_continued_and_killed_at_random(
    schedules: Schedules, clock: Clock, start: Start
) -> None:
    """F58, F62, P16: every slot once, none left out, in order."""
    chance, living = random.Random(7), [start() for _ in range(5)]
    stopped: list[subprocess.Popen[str]] = []
    schedules.set(catch_up="all", catch_up_most=1000)
    eventually(lambda: schedules.look().state == "active")
    for n in range(1, 31):
        if stopped and chance.random() < 0.6:
            os.kill(stopped.pop().pid, signal.SIGCONT)
        elif len(stopped) < 4:
            stopped.append(chance.choice([one for one in living if one not in stopped]))
            os.kill(stopped[-1].pid, signal.SIGSTOP)
        if n % 10 == 0:
            victim = chance.choice(living)
            victim.kill()
            living = [one for one in living if one is not victim] + [start()]
            stopped = [one for one in stopped if one is not victim]
        clock.advance(300)
        if chance.random() < 0.7:
            eventually(lambda n=n: START + n * FIVE in schedules.sent(), 10)  # type: ignore[misc]
    for one in stopped:
        os.kill(one.pid, signal.SIGCONT)
    eventually(lambda: START + 30 * FIVE in schedules.sent(), 10)
    assert schedules.sent() == [START + n * FIVE for n in range(1, 31)]
    assert schedules.look().fired == 30
