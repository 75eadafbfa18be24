"""The consumer of one process: reads, hands out, settles, and ends in good order."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from signal import Signals

from pgqueue.consumer import intake
from pgqueue.consumer.calls import read
from pgqueue.consumer.execution import Execution
from pgqueue.consumer.intake import Pace
from pgqueue.consumer.lease import Renewal
from pgqueue.consumer.model import Clock, Doors, Held, QueuePlan, Verdict
from pgqueue.consumer.outcome import RELEASE
from pgqueue.consumer.settings import ProcessSettings
from pgqueue.consumer.settle import Settler
from pgqueue.consumer.slots import Slots
from pgqueue.errors import PgQueueError
from pgqueue.log import get_logger
from pgqueue.task.registry import App

log = get_logger("pgqueue.consumer")

SETTLE_SECONDS = 5.0
CLEAN_UP_SECONDS = 0.5
LONGEST_WAIT = 1.0

Wait = Callable[[asyncio.Event, float], Awaitable[None]]


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


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
        now: Clock = time.monotonic,
        wait: Wait = wait_for,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._doors, self._settings, self._now, self._wait = doors, settings, now, wait
        self._loop = asyncio.get_running_loop()
        self._paces = [Pace(plan, settings.poll, settings.poll_max, chance) for plan in plans]
        self._waiting: deque[Held] = deque()
        self._renewal = Renewal(doors.open_renewal, now)
        self._execution = Execution(app, doors, now, self._interrupt, chance)
        self._slots = Slots(settings.concurrency, self._execution, self._renewal, self._ended, now)
        self._low_water = 0
        self._wake = asyncio.Event()
        self._settler = Settler(doors.work, settled=self._wake.set, chance=chance)
        self._stop = asyncio.Event()
        self._due = asyncio.Event()  # the stop, or a ring
        self._stop_now = asyncio.Event()
        self._signal: Signals | None = None

    @property
    def plans(self) -> list[QueuePlan]:
        return [pace.plan for pace in self._paces]

    def request_stop(self, signal: Signals) -> None:
        """Claim nothing more and finish what runs; asked a second time, give everything back at once."""
        if self._stop.is_set():
            self._stop_now.set()
        self._signal = signal
        self._stop.set()
        self._wake.set()
        self._due.set()
        log.info(
            "stop.requested", signal=signal.name, running=len(self._slots.running), waiting=len(self._waiting)
        )

    def change_plan(self, plan: QueuePlan) -> None:
        """Claim by these settings from the next read on."""
        for pace in self._paces:
            if pace.plan.queue == plan.queue:
                pace.plan = plan

    async def run(self) -> int:
        """Consume until `request_stop`. Return 0 after a clean end, 1 after a fault, else 128 + signal."""
        self._renewal.start()
        reading = asyncio.create_task(self._read_on(), name="reading")
        settling = asyncio.create_task(self._settler.run(), name="settling")
        stopped = asyncio.create_task(self._stop.wait(), name="stopped")
        listening = asyncio.create_task(self._listen(), name="listening")
        listening.add_done_callback(_say_crashed)  # and go on: polling needs no listener
        try:
            await asyncio.wait({reading, settling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            self._stop.set()
            self._wake.set()
            self._due.set()
            listening.cancel()
            forced = not await self._finish_running(reading)
            settled = await self._settle_rest(settling)
        finally:
            for task in (reading, settling, stopped, listening):
                task.cancel()
            await asyncio.to_thread(self._renewal.stop)
        faults = [task for task in (reading, settling) if _failed(task)]
        for task in faults:
            _say_crashed(task)
        code = 128 + self._signal if forced and self._signal else int(bool(faults) or not settled or forced)
        log.info("consumer.stopped", exit_code=code, forced=forced, unsettled=self._settler.pending)
        return code

    #
    # --------------------------------------------------------------------------------------------------------
    # reading

    async def _read_on(self) -> None:
        """Read each queue when it is due, until the stop; one queue's failure doesn't stop the others."""
        while not self._stop.is_set():
            self._wake.clear()
            self._due.clear()
            self._low_water = 0
            self._give_back_overdue()
            for pace in self._paces:
                if not self._stop.is_set() and pace.next_at <= self._now() and (qty := self._qty(pace.plan)):
                    await self._claim(pace, qty)
            self._paces.append(self._paces.pop(0))  # another queue is first in the next round
            await self._until_due()

    async def _until_due(self) -> None:
        with_room = [pace.next_at for pace in self._paces if self._qty(pace.plan)]
        if not with_room:
            await self._wait(self._wake, min(LONGEST_WAIT, *(pace.plan.vt / 6 for pace in self._paces)))
            return
        seconds = min(with_room) - self._now()
        if seconds > 0 and not self._stop.is_set():
            await self._wait(self._due, min(seconds, LONGEST_WAIT))

    def _rung(self, queue: str) -> None:
        """Read a queue at once, since a sender says so."""
        for pace in self._paces:
            if pace.plan.queue == queue:
                pace.rung(self._now())
        self._due.set()

    async def _listen(self) -> None:
        if self._doors.listener is not None:
            await self._doors.listener.listen([plan.queue for plan in self.plans], self._rung)

    def _qty(self, plan: QueuePlan) -> int:
        prefetch = intake.prefetch_limit(plan, self._slots.concurrency, self._slots.typical_seconds())
        self._low_water = max(self._low_water, prefetch // 2)
        return intake.read_qty(
            plan,
            free=self._slots.free,
            waiting=len(self._waiting),
            prefetch=prefetch,
            unsettled=self._settler.pending,
        )

    async def _claim(self, pace: Pace, qty: int) -> None:
        plan, asked_at = pace.plan, self._now()
        awaited = self._doors.hears()
        call = read(plan, qty, self._settings.holder, wait=self._settings.poll_max + 1 if awaited else None)
        pace.begin()
        try:
            messages = await self._doors.work.run(call)
        except PgQueueError as error:
            pace.failed(self._now())
            if pace.trouble.is_news:
                log.warning("read.failed", queue=plan.queue, error=str(error), failures=pace.trouble.failures)
            return
        if pace.trouble.over():
            log.info("read.resumed", queue=plan.queue)
        if not messages:
            pace.empty(self._now(), awaited=awaited)
            return
        pace.claimed(self._now())
        self._waiting.extend(Held(plan, message, asked_at, asked_at + plan.vt) for message in messages)
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
            else:
                self._slots.start(prepared)

    def _ended(self, held: Held, verdict: Verdict) -> None:
        self._settler.add(held, verdict)
        self._hand_out()
        if len(self._waiting) <= self._low_water:
            self._wake.set()

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
        hurry = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait({ends, hurry}, timeout=self._settings.grace, return_when=asyncio.FIRST_COMPLETED)
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
            self._give_back([held for held in given_up if not held.acked and not held.lost])
        return clean

    async def _all_quiet(self, reading: asyncio.Task[None]) -> None:
        await asyncio.wait({reading})
        await self._slots.idle()

    async def _settle_rest(self, settling: asyncio.Task[None]) -> bool:
        rest = asyncio.create_task(self._settler.drained())
        await asyncio.wait({rest, settling}, timeout=SETTLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        settled = rest.done()
        rest.cancel()
        return settled


def _failed(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


def _say_crashed(task: asyncio.Task[None]) -> None:
    if _failed(task):
        log.error("consumer.crashed", part=task.get_name(), exc_info=task.exception())
