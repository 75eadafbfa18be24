"""Counts what reached a handler, and reports once all has come. Also: what a handler has to do, and how many at once."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from benchmarks.cpu import seconds_of

EXPECTED, REPORT, SUPERVISED = "BENCH_EXPECTED", "BENCH_REPORT", "BENCH_SUPERVISED"
CONCURRENCY, WORK = "BENCH_CONCURRENCY", "BENCH_WORK"
WORKS = {"noop": 0.0, "1ms": 0.001}


def concurrency() -> int:
    """How many handlers may run at once."""
    return int(os.environ[CONCURRENCY])


def work_seconds() -> float:
    """How long a handler sleeps; 0 for one that does nothing."""
    return WORKS[os.environ.get(WORK, "noop")]


def begun(report: Path) -> Path:
    """The file that appears beside the report with the first call."""
    return report.with_suffix(".begun")


class Tally:
    """Counts calls of a handler. Writes a report at the expected one; calls beyond it are reported too.

    Timed is from the end of the first call to that of the last, so that the start of the process is left out; the
    messages of the first call aren't among the timed ones. CPU is that of this process, and of its supervisor where it
    has one.
    """

    def __init__(self) -> None:
        self._expected = int(os.environ[EXPECTED])
        self._report = Path(os.environ[REPORT])
        self._supervisor = os.getppid() if os.environ.get(SUPERVISED) else None
        self._lock = threading.Lock()
        self._count = self._first = 0
        self._begin = (0.0, 0.0)

    def hit(self, by: int = 1) -> None:
        with self._lock:
            if self._count == 0:
                self._first = by
                begun(self._report).touch()
                self._begin = time.perf_counter(), self._cpu()
            self._count += by
            if self._count >= self._expected:
                self._write()

    def _cpu(self) -> float:
        own = time.process_time()
        return own if self._supervisor is None else own + seconds_of(self._supervisor)

    def _write(self) -> None:
        seconds = time.perf_counter() - self._begin[0]
        cpu = self._cpu() - self._begin[1]
        said = {"messages": self._count, "timed": self._count - self._first, "seconds": seconds, "cpu": cpu}
        scratch = self._report.with_suffix(".new")
        scratch.write_text(json.dumps(said))
        scratch.rename(self._report)
