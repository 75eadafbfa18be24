"""A real `pgqueue consume` process with an app that a test writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests_integration.fixtures.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
HEAD = """
import asyncio, os, signal, time
from pathlib import Path
from pgqueue import App, Arg, Bury, Context, Handled, Hopeless, Identity, Release, Retry, TryLater
from pgqueue.queue.model import Backoff
app = App()
MARKS = Path(os.environ["MARKS"])
def mark(name): (MARKS / f"{name}-{os.getpid()}-{time.monotonic_ns()}").touch()
def wait_for(name):
    while not (MARKS / name).exists(): time.sleep(0.01)
"""


class Worker:
    """One process. `app` is Python source after `HEAD`; handlers leave marks (files) for the test."""

    def __init__(
        self,
        folder: Path,
        app: str,
        arguments: list[str],
        environment: dict[str, str],
        launcher: Sequence[str] = (),
    ) -> None:
        (folder / "shop.py").write_text(HEAD + textwrap.dedent(app))
        self.marks = folder / "marks"
        self.marks.mkdir(exist_ok=True)
        self._log = folder / f"log-{len(list(folder.glob('log-*')))}"
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(("PG", "DATABASE_URL"))}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*launcher, sys.executable, "-m", "pgqueue", "consume", *arguments],
                cwd=folder,
                stderr=log,
                stdout=log,
                env=inherited
                | {"PYTHONPATH": str(ROOT), "MARKS": str(self.marks), "PGQUEUE_LOG_FORMAT": "json"}
                | {"PGQUEUE_PROCESSES": "0"}  # a consumer alone; those of a supervisor are tested in daemon/
                | environment,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        lines = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def wait_for(self, event: str, count: int = 1, timeout: float = 15.0) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            if self.process.poll() is not None and len(self.events(event)) < count:
                pytest.fail(f"ended with {self.process.returncode} before {event}:\n{self.output}")
            return self.events(event) if len(self.events(event)) >= count else []

        return eventually(found, timeout)

    def marked(self, name: str) -> int:
        """Count how often handlers of all workers of this test left this mark."""
        return len(list(self.marks.glob(f"{name}-*")))

    def wait_for_mark(self, name: str, count: int = 1, timeout: float = 15.0) -> None:
        eventually(lambda: self.marked(name) >= count, timeout)

    def let(self, name: str) -> None:
        """Let handlers pass that wait for this name."""
        (self.marks / name).touch()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def end(self, timeout: float = 15.0) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(timeout=timeout)
