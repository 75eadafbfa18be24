"""The places where handlers run: threads for plain ones, coroutines for async ones."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence

from pgqueue.consumer.execution import Execution
from pgqueue.consumer.forked import leave_if_forked
from pgqueue.consumer.job import Work
from pgqueue.consumer.lease import Renewal
from pgqueue.consumer.model import Clock, Held, Verdict
from pgqueue.consumer.threads import HandlerThreads

WEIGHT = 0.1  # of the newest duration in the running average


class Slots:
    """Runs jobs and reports each end to `ended`, on the loop. Belongs to the loop that it was made in."""

    def __init__(
        self,
        concurrency: int,
        execution: Execution,
        renewal: Renewal,
        ended: Callable[[Sequence[tuple[Held, Verdict]]], None],
        now: Clock = time.monotonic,
        started: Callable[[Held], None] = lambda _: None,
    ) -> None:
        self.concurrency = concurrency
        self._execution, self._renewal, self._ended, self._now = execution, renewal, ended, now
        self._started = started
        self._running: dict[int, Work] = {}  # in the order of their start
        self._threads = HandlerThreads(concurrency)
        self._finished: deque[tuple[Work, Sequence[Verdict]]] = deque()
        self._collecting = False
        self._loop = asyncio.get_running_loop()
        self._jobs: asyncio.Queue[Work] = asyncio.Queue()
        self._workers: set[asyncio.Task[None]] = set()
        self._clean = contextvars.copy_context()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._average: float | None = None

    @property
    def free(self) -> int:
        return self.concurrency - len(self._running)

    @property
    def running(self) -> list[Held]:
        """What is being handled, oldest first."""
        return [held for job in self._running.values() for held in job.members]

    def typical_seconds(self) -> float | None:
        """Say how long a handler takes: the running average, or what half of the slots took already.

        None before the first one has ended.
        """
        middle = next(itertools.islice(self._running.values(), self.concurrency // 2, None), None)
        if middle is None or middle.held.started_at is None or self._average is None:
            return self._average
        return max(self._average, self._now() - middle.held.started_at)

    def start(self, job: Work) -> None:
        """Run a job; there must be a free slot."""
        now = self._now()
        self._running[id(job)] = job
        self._idle.clear()
        for held in job.members:
            held.started_at = now
            self._renewal.add(held)
            self._started(held)  # before any of it runs: a death must not find it unstarted
        if not job.is_async:
            self._threads.submit(lambda: self._run_in_thread(job))
            return
        self._jobs.put_nowait(job)
        if len(self._workers) < min(self.concurrency, len(self._running)):
            self._add_worker()

    async def idle(self) -> None:
        """Return when no handler runs."""
        await self._idle.wait()

    async def cancel(self, patience: float) -> None:
        """Cancel the async handlers, whose messages are then released; wait `patience` seconds."""
        self._stopping = True
        for worker in self._workers:
            worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers, timeout=patience)

    def _run_in_thread(self, job: Work) -> None:
        verdicts = self._execution.ends(job)
        leave_if_forked()
        self._finished.append((job, verdicts))
        if not self._collecting:  # one wake-up of the loop for all that end until it looks
            self._collecting = True
            try:
                self._loop.call_soon_threadsafe(self._collect)
            except RuntimeError:  # the loop has been closed: the process is about to end
                return

    def _collect(self) -> None:
        self._collecting = False
        while self._finished:
            self._end(*self._finished.popleft())

    def _add_worker(self) -> None:
        worker = self._loop.create_task(self._work(), context=self._clean.copy())
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        clean = contextvars.copy_context()
        while not self._stopping:
            job = await self._jobs.get()
            verdicts = await self._execution.ends_async(job, stopping=lambda: self._stopping)
            leave_if_forked()
            self._end(job, verdicts)
            # What a handler leaves in its context must not reach the next message: a fresh worker takes over.
            if contextvars.copy_context() != clean:
                self._add_worker()
                return

    def _end(self, job: Work, verdicts: Sequence[Verdict]) -> None:
        del self._running[id(job)]
        for held in job.members:
            self._renewal.remove(held)
        started_at = job.held.started_at
        if started_at is not None:
            took = self._now() - started_at
            self._average = took if self._average is None else self._average + WEIGHT * (took - self._average)
        if not self._running:
            self._idle.set()
        self._ended(list(zip(job.members, verdicts, strict=True)))
