"""The consumer of one process: reads, hands out, settles, and ends in good order."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from signal import Signals

from pgqueue.consumer import intake
from pgqueue.consumer.awaiting import Wait, failed, say_crashed, wait_for
from pgqueue.consumer.execution import Execution
from pgqueue.consumer.intake import Pace
from pgqueue.consumer.job import Batch
from pgqueue.consumer.lease import Renewal
from pgqueue.consumer.model import Clock, Doors, Held, QueuePlan, Verb, Verdict
from pgqueue.consumer.outcome import RELEASE
from pgqueue.consumer.reading import Reading
from pgqueue.consumer.report import Phase, Report
from pgqueue.consumer.settings import ProcessSettings
from pgqueue.consumer.settle import Ended, Settler
from pgqueue.consumer.settlers import Settlers
from pgqueue.consumer.slots import Slots
from pgqueue.log import get_logger
from pgqueue.task.registry import App

log = get_logger("pgqueue.consumer")

SETTLE_SECONDS = 5.0
CLEAN_UP_SECONDS = 0.5
LAST_READ_SECONDS = 2.0  # what a read may still take after the stop


class Consumer:
    """Consumes some queues until it is told to stop. Made and run in one event loop.

    A claimed message is in exactly one place: waiting here, in a slot, or on its way to be settled.
    """

    def __init__(
        self,
        app: App,
        doors: Doors,
        settings: ProcessSettings,
        plans: Sequence[QueuePlan],
        *,
        report: Report | None = None,
        now: Clock = time.monotonic,
        wait: Wait = wait_for,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._doors, self._settings, self._now = doors, settings, now
        self._loop = asyncio.get_running_loop()
        self._paces = [Pace(plan, settings.poll, settings.poll_max, chance) for plan in plans]
        self._waiting: deque[Held] = deque()
        self._renewal = Renewal(doors.open_renewal, now)
        self._execution = Execution(app, doors, now, self._interrupt, chance)
        self._report = report or Report(now=now)
        self._report.expect(plans)
        started = self._report.started
        self._slots = Slots(settings.concurrency, self._execution, self._renewal, self._ended, now, started)
        self._low_water = 0
        self._reading = Reading(doors, settings, self._paces, self, self._report, now, wait)
        self._settler = Settlers(
            [plan.queue for plan in plans],
            lambda: Settler(doors.work, finished=self._finished, chance=chance),
        )
        self._stop = asyncio.Event()
        self._give_up = asyncio.Event()
        self._signal: Signals | None = None

    @property
    def plans(self) -> list[QueuePlan]:
        return [pace.plan for pace in self._paces]

    def request_stop(self, signal: Signals) -> None:
        """Claim nothing more and finish what runs; asked a second time, give everything back at once."""
        if self._signal is None:
            self._loop.call_later(self._settings.grace, self._give_up.set)
        else:
            self._give_up.set()
        self._signal = signal
        self.drain()
        log.info(
            "stop.requested", signal=signal.name, running=len(self._slots.running), waiting=len(self._waiting)
        )

    def drain(self) -> None:
        """Claim nothing more and finish what runs, however long it takes; a later stop still cuts it short."""
        if self._report.phase is not Phase.QUIET:
            self._report.phase = Phase.STOPPING
        self._stop.set()
        self._reading.stop()

    def change_plan(self, plan: QueuePlan) -> None:
        """Claim by these settings from the next read on."""
        self._report.expect([plan])
        for pace in self._paces:
            if pace.plan.queue == plan.queue:
                pace.plan = plan

    async def run(self) -> int:
        """Consume until `request_stop`. Return 0 after a clean end, 1 after a fault, else 128 + signal."""
        self._renewal.start()
        self._report.phase = Phase.CONSUMING
        reading = asyncio.create_task(self._reading.run(), name="reading")
        settling = asyncio.create_task(self._settler.run(), name="settling")
        stopped = asyncio.create_task(self._stop.wait(), name="stopped")
        listening = asyncio.create_task(self._listen(), name="listening")
        listening.add_done_callback(say_crashed)  # and go on: polling needs no listener
        try:
            await asyncio.wait({reading, settling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            self.drain()
            if failed(reading) or failed(settling):
                self._loop.call_later(self._settings.grace, self._give_up.set)
            listening.cancel()
            forced = not await self._finish_running(reading)
            settled = await self._settle_rest(settling)
            unsettled = self._settler.pending  # now: what is on its way counts
        finally:
            for task in (reading, settling, stopped, listening):
                task.cancel()
            await asyncio.to_thread(self._renewal.stop)
        faults = [task for task in (reading, settling) if failed(task)]
        for task in faults:
            say_crashed(task)
        code = 128 + self._signal if forced and self._signal else int(bool(faults) or not settled or forced)
        log.info("consumer.stopped", exit_code=code, forced=forced, unsettled=unsettled)
        return code

    #
    # --------------------------------------------------------------------------------------------------------
    # reading

    def begin_round(self) -> None:
        """Before each round of reads."""
        self._report.turned()
        self._low_water = 0
        self._give_back_overdue()

    async def _listen(self) -> None:
        if self._doors.listener is not None:
            await self._doors.listener.listen([plan.queue for plan in self.plans], self._reading.rung)

    def room_for(self, plan: QueuePlan, reserved: int) -> int | None:
        """Say how many messages of a queue to claim, when so many were asked for that have not come yet."""
        if self._settler.pending_of(plan.queue) > intake.BATCHES_UNSETTLED * plan.batch:
            return None
        a_slot_takes = self._execution.a_slot_takes(plan.queue)
        at_once = self._slots.concurrency * a_slot_takes
        prefetch = intake.prefetch_limit(plan, at_once, self._slots.typical_seconds())
        self._low_water = max(self._low_water, prefetch // 2)
        return intake.read_qty(
            plan,
            free=self._slots.free * a_slot_takes,
            waiting=len(self._waiting) + reserved,
            prefetch=prefetch,
        )

    def server_answered(self) -> None:
        """After each read that was answered."""
        self._settler.server_answered()

    def take_in(self, claimed: Sequence[Held]) -> None:
        """Take what a read brought."""
        self._waiting.extend(claimed)
        self._hand_out()

    def _give_back_overdue(self) -> None:
        now = self._now()
        overdue = [held for held in self._waiting if intake.is_overdue(held, now)]
        if overdue:
            self._waiting = deque(held for held in self._waiting if not intake.is_overdue(held, now))
            self._give_back(overdue)

    #
    # -------------------------------------------------------------------------------------------------------
    # handling

    def _hand_out(self) -> None:
        """Start what waits while there are free slots; after the stop, give it back instead."""
        if self._stop.is_set():
            self._give_back(self._waiting)
            self._waiting.clear()
        while self._waiting and self._slots.free:
            held = self._waiting.popleft()
            if intake.is_overdue(held, self._now()):
                self._give_back([held])
                continue
            prepared = self._execution.prepare(held)
            if isinstance(prepared, Verdict):
                self._settler.add(held, prepared)
                continue
            if isinstance(prepared, Batch):
                self._fill(prepared)
            self._slots.start(prepared)

    def _fill(self, batch: Batch) -> None:
        """Let what waits behind a batch's first message join it; what doesn't fit begins the next one."""
        now, waiting = self._now(), self._waiting
        while waiting and batch.wants(waiting[0]) and not intake.is_overdue(waiting[0], now):
            batch.members.append(waiting.popleft())

    def _ended(self, ends: Sequence[tuple[Held, Verdict]]) -> None:
        for held, verdict in ends:
            self._report.ended(held, verdict.verb)
            self._settler.add(held, verdict)
        self._hand_out()
        if len(self._waiting) <= self._low_water:
            self._reading.room_came()

    def _finished(self, group: Sequence[Ended], verb: Verb, *, settled: bool) -> None:
        self._report.finished([ended.held for ended in group], verb, settled=settled)
        if settled:
            self._reading.settled(group[0].held.plan.queue)

    def _give_back(self, unstarted: Sequence[Held] | deque[Held]) -> None:
        for held in unstarted:
            self._settler.add(held, RELEASE)

    # ------------------------------------------------------------------------------------------------------
    # --- ending

    def _interrupt(self) -> None:
        self._loop.call_soon_threadsafe(self.request_stop, Signals.SIGINT)

    async def _finish_running(self, reading: asyncio.Task[None]) -> bool:
        """Let handlers finish within `grace`. Return False when some were given up and released."""
        self._hand_out()
        ends = asyncio.create_task(self._all_quiet(reading))
        hurry = asyncio.create_task(self._give_up.wait())
        await asyncio.wait({ends, hurry}, return_when=asyncio.FIRST_COMPLETED)
        clean = ends.done()
        for task in (ends, hurry):
            task.cancel()
        if not clean:
            await self._slots.cancel(CLEAN_UP_SECONDS)
            given_up = self._slots.running
            log.warning(
                "handlers.abandoned",
                messages=len(given_up),
                msg_ids=[h.message.msg_id for h in given_up][:100],
            )
            self._give_back([held for held in given_up if not (held.acked or held.lost or held.outlived)])
        return clean

    async def _all_quiet(self, reading: asyncio.Task[None]) -> None:
        await asyncio.wait({reading}, timeout=LAST_READ_SECONDS)
        reading.cancel()  # it hangs: what it may bring all the same comes back after vt
        await asyncio.wait({reading})
        self._report.phase = Phase.QUIET
        await self._slots.idle()

    async def _settle_rest(self, settling: asyncio.Task[None]) -> bool:
        rest = asyncio.create_task(self._settler.drained())
        await asyncio.wait({rest, settling}, timeout=SETTLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        settled = rest.done()
        rest.cancel()
        return settled
