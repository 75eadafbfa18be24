"""Memory: what our worker holds while it works through a long queue, sampled every second."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.clients.tally import begun
from benchmarks.cpu import resident_bytes
from benchmarks.parts.contenders import NOOP, Cell, Consume, Worker
from benchmarks.parts.trial import Trial
from benchmarks.plan import Plan, Steps
from benchmarks.sample import Sample
from benchmarks.server import Connection, Server

DEFAULT = "log_async"
CASE = "memory over"
EVERY_SECONDS = 1.0
MIB = 1024 * 1024
# Far below what any of ours reaches.
LEAST_RATE = 1_000.0


class Memory:
    """Samples of what a worker and its supervisor hold, in MiB: at its first message, every second, at its last."""

    def __init__(self) -> None:
        self.mib: list[float] = []

    @contextmanager
    def watch(self, pid: int, report: Path) -> Iterator[None]:
        """Sample process `pid` and its children from the moment when `report` is begun."""
        stop = threading.Event()
        thread = threading.Thread(target=self._sample, args=(pid, report, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _sample(self, pid: int, report: Path, stop: threading.Event) -> None:
        while not begun(report).exists() and not stop.wait(0.01):
            pass
        while not stop.is_set():
            self._note(pid)
            stop.wait(EVERY_SECONDS)
        self._note(pid)

    def _note(self, pid: int) -> None:
        if held := resident_bytes(pid):
            self.mib.append(held / MIB)


def messages(plan: Plan) -> int:
    """How many messages are asked for, 0 without the option. Ends the harness at what is no number."""
    text = plan.option("memory", "0")
    if not text.isdecimal():
        raise SystemExit(f"memory={text} is no number of messages: memory=1000000")
    return int(text)


def chosen(wanted: Sequence[Worker]) -> list[Worker]:
    """Ours, where only ours were asked for; else the default one alone."""
    ours = [worker for worker in wanted if isinstance(worker, Consume)]
    return [worker for worker in ours if len(ours) == len(wanted) or worker.name == DEFAULT]


def run(
    count: int, concurrency: str, server: Server, connection: Connection, workers: Sequence[Worker]
) -> list[Sample]:
    """Let each of them handle `count` messages that do nothing."""
    samples = []
    with Steps("worker", len(workers)) as steps:
        for worker in workers:
            steps.step(f"{CASE} {count:,} messages, {worker.name}")
            memory = Memory()
            cell, patience = Cell(NOOP, concurrency), 60 + count / LEAST_RATE
            trial = Trial(server, connection, cell, patience=patience, watch=memory.watch)
            values = trial.measure(worker, count) | summary(memory.mib)
            series = {"held_mib": memory.mib}
            samples.append(Sample("worker", f"{CASE} {count:,} messages", worker.name, 1, values, series))
    return samples


def summary(mib: Sequence[float]) -> dict[str, float]:
    """First, after a tenth of the time, last, most. Nothing where /proc doesn't show the worker."""
    if not mib:
        return {}
    tenth = mib[len(mib) // 10]
    return {
        "first_mib": mib[0],
        "tenth_mib": tenth,
        "last_mib": mib[-1],
        "most_mib": max(mib),
        "last_over_tenth": mib[-1] / tenth,
    }
