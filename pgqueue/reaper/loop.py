"""The loop of the reaper: lead, and while leading run each chore at its time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pgqueue.errors import ConfigurationError, PgQueueError
from pgqueue.leadership.lease import ANOTHER_LEADS, NO_ANSWER, Lease
from pgqueue.leadership.model import Runner, Terms
from pgqueue.log import get_logger
from pgqueue.periodic import Trouble
from pgqueue.reaper import calls
from pgqueue.reaper.model import Answer, Chore, Done, Report
from pgqueue.reaper.rounds import run_round

log = get_logger("pgqueue.reaper")

NAME = "reaper"
AT_ONCE = 2
MOST_CONNECTIONS = AT_ONCE + 1  # chores, and the lease, which must never wait for one
MORE_SECONDS = 0.2  # between two runs of a chore that stopped at its bound
LEAST_WAIT = 0.05
LAST_STEP_SECONDS = 2.0
SELDOM = 15  # of failures in a row, the first and then every 15th is logged


class Reaper:
    """Sweeps while this process leads, and waits while another one does. Made and used in one event loop.

    `runner` should have MOST_CONNECTIONS to itself. `holder` must be of this process alone. Raises: InvalidInput for a
    blank one, ConfigurationError for two chores of one name.
    """

    def __init__(
        self,
        runner: Runner,
        holder: str,
        chores: Sequence[Chore],
        terms: Terms | None = None,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        names = [chore.name for chore in chores]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"two chores have one name: {', '.join(names)}", cure="Rename one.")
        self.lease = Lease(runner, NAME, holder, terms or Terms(), chance=chance)
        self._runner, self._chores, self._chance = runner, chores, chance
        self._lanes = asyncio.Semaphore(AT_ONCE)
        self._streaks: Counter[str] = Counter()
        self._busy: set[asyncio.Task[Any] | None] = set()
        self._goes_on = True

    async def run(self) -> None:
        """Lead when nobody else does, and sweep while leading. Cancel it at the end: then it resigns."""
        trouble = Trouble(self._chance)
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self.lease.win()
                began = loop.time()
                await self._lead()
                if loop.time() - began > self.lease.terms.lease:
                    trouble.over()
                await asyncio.sleep(trouble.seen())
        finally:
            await self.lease.resign()

    async def once(self) -> list[Report] | None:
        """Run each chore that is due, one after the other; None when another process leads.

        Fewer reports than chores: the lease was lost on the way. Raises: as the runner.
        """
        if (await self.lease.bid()).token is None:
            return None
        keeping = asyncio.create_task(self.lease.keep())
        reports: list[Report] = []
        try:
            for chore in self._chores:
                turn = await self._runner.run(calls.begin(chore, self.lease.holder, self._token()))
                if turn.answer is Answer.LOST:
                    break
                done = await self._round(chore) if turn.answer is Answer.DUE else None
                reports.append(Report(chore.name, done))
        finally:
            keeping.cancel()
            await self.lease.resign()
        return reports

    async def _lead(self) -> None:
        """Run each chore at its time until the lease is lost, or the server takes no report."""
        tasks = [asyncio.create_task(self.lease.keep(), name="lease")]
        tasks += [asyncio.create_task(self._repeat(chore), name=chore.name) for chore in self._chores]
        self._goes_on = True
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.lease.step_down(ended.pop().result())
        finally:
            self._goes_on = False
            await self._let_report(tasks)

    async def _let_report(self, tasks: Sequence[asyncio.Task[str]]) -> None:
        """End all tasks: a chore takes no further step, but the one that it is at is waited for and counted."""
        for task in tasks:
            if task not in self._busy:
                task.cancel()
        await asyncio.wait(tasks, timeout=LAST_STEP_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _repeat(self, chore: Chore) -> str:
        while True:
            async with self._lanes:
                if not self.lease.leads():
                    return NO_ANSWER
                try:
                    turn = await self._runner.run(calls.begin(chore, self.lease.holder, self._token()))
                    if turn.answer is Answer.LOST:
                        return ANOTHER_LEADS
                    wait = max(turn.wait, LEAST_WAIT)
                    if turn.answer is Answer.DUE and (await self._round(chore)).more:
                        wait = MORE_SECONDS
                    if not self._may_go_on():
                        return NO_ANSWER
                except PgQueueError as error:
                    return str(error)
            await asyncio.sleep(wait)

    async def _round(self, chore: Chore) -> Done:
        """Run a chore and report it. Raises: as the runner, for the report."""
        token, me = self._token(), asyncio.current_task()
        self._busy.add(me)
        try:
            done = await run_round(chore, self._runner, self._may_go_on)
            self._note(chore, done)
            await self._runner.run(calls.end(chore, token, done))
        finally:
            self._busy.discard(me)
        return done

    def _may_go_on(self) -> bool:
        return self._goes_on and self.lease.leads()

    def _note(self, chore: Chore, done: Done) -> None:
        if done.error is not None:
            self._streaks[chore.name] += 1
            if self._streaks[chore.name] % SELDOM == 1:
                log.warning(
                    "sweep.failed", chore=chore.name, error=done.error, failures=self._streaks[chore.name]
                )
        else:
            if self._streaks.pop(chore.name, 0):
                log.info("sweep.resumed", chore=chore.name)
            if done.moved:
                log.debug("sweep.finished", chore=chore.name, moved=done.moved)

    def _token(self) -> int:
        assert self.lease.token is not None  # noqa: S101 - asked by whoever leads
        return self.lease.token
