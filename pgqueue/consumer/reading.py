"""Reads the queues of one process, each on its own: one that hangs or fails keeps none of the others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pgqueue.consumer.awaiting import Wait
from pgqueue.consumer.calls import read
from pgqueue.consumer.intake import Pace
from pgqueue.consumer.model import Clock, Doors, Held, QueuePlan
from pgqueue.consumer.report import Report
from pgqueue.consumer.settings import ProcessSettings
from pgqueue.consumer.turns import PATIENCE, Blocked, Reader, Turns
from pgqueue.errors import PgQueueError
from pgqueue.log import get_logger

log = get_logger("pgqueue.consumer")

LONGEST_WAIT = 1.0


class Taker(Protocol):
    """Who takes what is read.

    `room_for` is asked by `Turns`, `begin_round` called before each round of reads, `server_answered` after each answered one.
    """

    def room_for(self, plan: QueuePlan, reserved: int, /) -> int | None: ...

    def take_in(self, claimed: Sequence[Held], /) -> None: ...

    def begin_round(self) -> None: ...

    def server_answered(self) -> None: ...


class Reading:
    """Reads queues by turns and hands what comes to `taker`. Belongs to the loop that it was made in."""

    def __init__(
        self,
        doors: Doors,
        settings: ProcessSettings,
        paces: Sequence[Pace],
        taker: Taker,
        report: Report,
        now: Clock,
        wait: Wait,
    ) -> None:
        self._doors, self._settings, self._paces, self._taker = doors, settings, paces, taker
        self._report, self._now, self._wait = report, now, wait
        self._turns = Turns([Reader(pace) for pace in paces])
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._room = asyncio.Event()  # the stop, room for more, or an answer
        self._due = asyncio.Event()  # the stop, a ring, or an answer

    def stop(self) -> None:
        """Begin no other read."""
        self._stopping = True
        self._answered()

    def room_came(self) -> None:
        """Look again: there may be room now."""
        self._room.set()

    def rung(self, queue: str) -> None:
        """Read a queue at once, since a sender says so."""
        for pace in self._paces:
            if pace.plan.queue == queue:
                pace.rung(self._now())
        self._due.set()

    def settled(self, queue: str) -> None:
        """Read a queue at once that is held back by a limit: what was settled makes room under it."""
        for pace in self._paces:
            if pace.plan.queue == queue and pace.plan.limited:
                pace.rung(self._now())
                self._due.set()
        self._room.set()

    async def run(self) -> None:
        """Read each queue when it is due, until the stop. Return when all reads are answered."""
        try:
            while not self._stopping:
                self._room.clear()
                self._due.clear()
                self._taker.begin_round()
                blocked = await self._begin_reads()
                if not self._stopping:
                    await self._until_due(blocked)
            if self._under_way:
                await asyncio.wait(self._under_way)
            self._check()
        finally:
            for task in self._under_way:
                task.cancel()

    async def _begin_reads(self) -> Blocked:
        """Let each queue read whose turn it is; return why no other one does."""
        while not self._stopping:
            turn = self._turns.next(self._now(), self._taker.room_for)
            if isinstance(turn, Blocked):
                self._check()
                return turn
            if len(self._paces) == 1:
                await self._read(*turn)  # nobody else to go on with
                return Blocked.NOT_DUE
            task = asyncio.create_task(self._read(*turn), name="reading")
            self._under_way.add(task)
            task.add_done_callback(lambda _: self._answered())
            await asyncio.sleep(0)
        return Blocked.NOT_DUE

    def _answered(self) -> None:
        self._room.set()
        self._due.set()

    def _check(self) -> None:
        """Forget the reads that were answered; one that ended with an error of its own ends the consumer."""
        for task in [task for task in self._under_way if task.done()]:
            self._under_way.discard(task)
            task.result()

    async def _until_due(self, blocked: Blocked) -> None:
        now = self._now()
        reserved = self._turns.reserved(now)
        paces = [reader.pace for reader in self._turns.readers if not reader.asked]
        with_room = [pace.next_at for pace in paces if self._taker.room_for(pace.plan, reserved)]
        longest = PATIENCE if reserved else LONGEST_WAIT
        if blocked is Blocked.NO_ROOM or not with_room:
            await self._wait(self._room, min(longest, *(pace.plan.vt / 6 for pace in self._paces)))
        elif blocked is Blocked.READING:
            await self._wait(self._due, longest)
        elif (seconds := min(with_room) - now) > 0:
            await self._wait(self._due, min(seconds, longest))

    async def _read(self, reader: Reader, qty: int) -> None:
        pace = reader.pace
        if self._stopping:  # since this task was made
            reader.answered(0, self._now())
            return
        plan, asked_at = pace.plan, self._now()
        awaited = self._doors.hears() and plan.paused is None
        call = read(plan, qty, self._settings.holder, wait=self._settings.poll_max + 1 if awaited else None)
        pace.begin()
        got = 0
        try:
            messages = await self._doors.work.run(call)
            got = len(messages)
        except PgQueueError as error:
            pace.failed(self._now())
            self._report.read_failed(plan)
            if pace.trouble.is_news:
                log.warning("read.failed", queue=plan.queue, error=str(error), failures=pace.trouble.failures)
            return
        finally:
            reader.answered(got, self._now())
        self._taker.server_answered()
        if pace.trouble.over():
            log.info("read.resumed", queue=plan.queue)
        claimed = [Held(plan, message, asked_at, asked_at + plan.vt) for message in messages]
        self._report.read(plan, claimed)
        if not claimed:
            pace.empty(self._now(), awaited=awaited)
            return
        pace.claimed(self._now())
        self._taker.take_in(claimed)
