"""Worker processes that die at a point, and what they leave behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests_integration.consumer.worker import Worker
from tests_integration.fixtures.waiting import eventually

VT = 2.0
MARGIN = 1.5  # a poll, and a busy machine
AT_ONCE = 3
APP = "from tests_integration.faults import crash_app\napp = crash_app.build()\n"


@dataclass
class Crew:
    """Starts the workers of one scenario; each has a queue of its own, and all share the folder of marks."""

    folder: Path
    dsn: str
    scenario: str
    options: tuple[str, ...] = ()
    _started: list[Worker] = field(default_factory=list)

    @property
    def marks(self) -> Path:
        return self.folder / "marks"

    def start(self, name: str, queues: Iterable[str], *, processes: int = 0, **environment: str) -> Worker:
        folder = self.folder / name
        folder.mkdir()
        self.marks.mkdir(exist_ok=True)
        named = " ".join(queues)
        options = [
            "--app",
            "shop:app",
            "--dsn",
            self.dsn,
            "--no-listen",
            "--poll",
            "0.05",
            "--poll-max",
            "0.1",
        ]
        lease = ["--vt", str(VT), "--health-stale", "60", "--grace", "0.5", "--concurrency", "1"]
        worker = Worker(
            folder,
            APP,
            [*named.split(), "--processes", str(processes), *options, *lease, *self.options],
            {"SCENARIO": self.scenario, "QUEUES": named, "MARKS": str(self.marks)} | environment,
        )
        self._started.append(worker)
        return worker

    def count_points(self, queue: str, last: str) -> list[str]:
        """Run the scenario through once; return the points in order. `last` is what the last one starts with."""
        log = self.folder / "points"
        log.touch()
        worker = self.start("counting", [queue], CRASH_LOG=str(log))
        try:
            eventually(lambda: f"after {last}" in log.read_text(), 20)
        except BaseException:
            print(worker.output)  # noqa: T201 - why it didn't get so far
            raise
        finally:
            worker.kill()
        return log.read_text().splitlines()

    def die(self, point: str, queue: str) -> float:
        """Let a worker die at the point; return when it did."""
        log = str(self.folder / f"points of {queue}")
        worker = self.start(queue, [queue], CRASH_LOG=log, CRASH_AT=point)
        code = worker.end(30)
        assert code == -signal.SIGKILL, f"{point}: ended with {code}\n{worker.output}"
        return time.monotonic()

    def die_at_all(self, points: dict[str, str]) -> dict[str, float]:
        """Let one worker die at each point of {queue: point}, a few at a time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            died = pool.map(lambda queue: self.die(points[queue], queue), points)
            return dict(zip(points, died, strict=True))

    def survive(self, point: str, queue: str, is_done: Callable[[], bool]) -> None:
        """Let a supervised worker die at the point; return when the command has finished the work by itself."""
        log = str(self.folder / f"points of {queue}")
        command = self.start(queue, [queue], processes=1, CRASH_LOG=log, CRASH_AT=point)
        try:
            eventually(lambda: is_done() and command.events("worker.died"), 30)
            command.terminate()
            assert command.end(15) == 0, f"{point}\n{command.output}"
        except BaseException:
            print(point, command.output)  # noqa: T201 - what the command said
            raise

    def times(self, name: str, pid: int | None = None) -> list[float]:
        """Return when this mark was left, by anybody or by one process; in order."""
        found = [path.name.rsplit("-", 2) for path in self.marks.glob(f"{name}-*")]
        return sorted(int(ns) / 1e9 for mark, by, ns in found if mark == name and pid in (None, int(by)))

    def close(self) -> None:
        for worker in self._started:
            if worker.process.poll() is None:
                worker.kill()


@contextmanager
def crew(folder: Path, dsn: str, scenario: str, *options: str) -> Iterator[Crew]:
    """Have a crew whose processes are all gone at the end."""
    made = Crew(folder, dsn, scenario, options)
    try:
        yield made
    finally:
        made.close()
