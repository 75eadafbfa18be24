"""Counts what reached a handler, and reports once all has come."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

EXPECTED, REPORT = "BENCH_EXPECTED", "BENCH_REPORT"


class Tally:
    """Counts calls of a handler. Writes a report at the expected one; calls beyond it are reported too.

    The rate is that between the first and the last call, so that the start of the process is left out.
    """

    def __init__(self) -> None:
        self._expected = int(os.environ[EXPECTED])
        self._report = Path(os.environ[REPORT])
        self._lock = threading.Lock()
        self._count = 0
        self._begin = (0.0, 0.0)

    def hit(self, by: int = 1) -> None:
        with self._lock:
            if self._count == 0:
                self._begin = time.perf_counter(), time.process_time()
            self._count += by
            if self._count >= self._expected:
                self._write()

    def _write(self) -> None:
        seconds = time.perf_counter() - self._begin[0]
        cpu = time.process_time() - self._begin[1]
        scratch = self._report.with_suffix(".new")
        scratch.write_text(json.dumps({"messages": self._count, "seconds": seconds, "cpu": cpu}))
        scratch.rename(self._report)
