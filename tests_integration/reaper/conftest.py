"""Real `pgqueue maintain` processes, and work for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pgqueue import PgQueue
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--lease", "2", "--interval", "0.3")


class Maintainer:
    """One `pgqueue maintain` process and its log."""

    def __init__(self, folder: Path, arguments: tuple[str, ...]) -> None:
        self._log = folder / f"log-{len(list(folder.glob('log-*')))}"
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(("PG", "DATABASE_URL"))}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pgqueue", "maintain", "--log-format", "json", *arguments],
                stdout=log,
                stderr=log,
                env=inherited | {"PYTHONPATH": str(ROOT)},
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def wait_for(self, event: str, count: int = 1, timeout: float = 20.0) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            assert self.process.poll() is None or len(self.events(event)) >= count, self.output
            return self.events(event) if len(self.events(event)) >= count else []

        return eventually(found, timeout)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, timeout: float = 15.0) -> int:
        return self.process.wait(timeout=timeout)


StartMaintainer = Callable[..., Maintainer]


@pytest.fixture
def maintain(tmp_path: Path, database: Database) -> Iterator[StartMaintainer]:
    """Start `pgqueue maintain` with these options; whatever still runs is killed."""
    started: list[Maintainer] = []

    def begin(*options: str, dsn: str | None = None) -> Maintainer:
        started.append(Maintainer(tmp_path, ("--dsn", dsn or database.conninfo, *options)))
        return started[-1]

    yield begin
    for one in started:
        one.process.kill()
        one.process.wait(timeout=10)


@pytest.fixture
def client(database: Database) -> Iterator[PgQueue]:
    with PgQueue(database.conninfo) as opened:
        yield opened
