"""Fixtures of the supervisor's tests: a queue, and real `pgqueue consume` commands with their worker processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

from pgqueue import PgQueue
from pgqueue.task import payload
from tests_integration.consumer.worker import Worker
from tests_integration.fixtures import waiting as patience
from tests_integration.fixtures.database import Database

T = TypeVar("T")
Rows = Callable[[], list[tuple[Any, ...]]]

# Handlers of most tests: `slow` waits until it is let go.
SLOW = """
@app.task("slow", queue="orders")
def slow():
    mark("started")
    wait_for("go")
    mark("ended")

@app.task("quick", queue="orders")
def quick(): mark("quick")
"""


def eventually(condition: Callable[[], T], timeout: float = 20.0) -> T:
    """Wait with the patience that processes need which start processes."""
    return patience.eventually(condition, timeout)


class Command(Worker):
    """One supervisor with its workers."""

    def wait_for(self, event: str, count: int = 1, timeout: float = 30.0) -> list[dict[str, Any]]:
        return super().wait_for(event, count, timeout)

    def wait_for_mark(self, name: str, count: int = 1, timeout: float = 30.0) -> None:
        super().wait_for_mark(name, count, timeout)

    def end(self, timeout: float = 30.0) -> int:
        return super().end(timeout)

    def pids(self) -> list[int]:
        """Return the workers that were started, oldest first."""
        return [event["pid"] for event in self.events("worker.started")]

    def get(self, path: str, timeout: float = 5.0) -> tuple[int, Any]:
        """Ask the health port; return status and body, which is JSON where it says so."""
        port = self.wait_for("health.opened")[0]["port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        return answer.status, json.loads(body) if answer.headers[
            "Content-Type"
        ] == "application/json" else body.decode()

    def kill(self) -> None:
        super().kill()
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        eventually(lambda: not any(map(is_alive, self.pids())))


StartCommand = Callable[..., Command]


def is_alive(pid: int) -> bool:
    """Tell whether a process exists that has not ended."""
    return state_of(pid) not in (None, "Z")


def state_of(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


@pytest.fixture
def client(database: Database) -> Iterator[PgQueue]:
    with PgQueue(database.conninfo) as opened:
        backoff = {"base": 900, "factor": 1, "cap": 900, "jitter": 0}  # what is retried stays to be looked at
        opened.create_queue("orders", settings={"vt": 30, "health_stale": 60, "backoff": backoff})
        yield opened


@pytest.fixture
def start(tmp_path: Path, database: Database, client: PgQueue) -> Iterator[StartCommand]:
    """Start `pgqueue consume orders --app shop:app`; in the end no process of it is left."""
    started: list[Command] = []

    def begin(
        app: str,
        *options: str,
        processes: int = 1,
        ready: bool = True,
        launcher: Sequence[str] = (),
        **more: str,
    ) -> Command:
        arguments = ["orders", "--app", "shop:app", "--dsn", database.conninfo, "--no-listen", *options]
        environment = {"PGQUEUE_PROCESSES": str(processes)} | (
            {"PGQUEUE_HEALTH_PORT": "0"} if processes else {}
        )
        command = Command(tmp_path, app, arguments, environment | more, launcher)
        started.append(command)
        if ready:
            command.wait_for("consumer.started", max(processes, 1))
        return command

    yield begin
    for command in started:
        command.kill()


@pytest.fixture
def send(client: PgQueue) -> Callable[..., list[int]]:
    """Send task messages: the name, then how many."""

    def some(task: str, count: int = 1, *args: Any) -> list[int]:
        return client.send_many("orders", [payload.build(task, list(args), {}) for _ in range(count)])

    return some


@pytest.fixture
def waiting(db: psycopg.Connection) -> Rows:
    """Read (msg_id, state, read_ct, release_ct, error) of what is in the queue."""

    def rows() -> list[tuple[Any, ...]]:
        return db.execute(
            "select msg_id, state, read_ct, release_ct, error from pgqueue.messages where queue = 'orders' order by 1"
        ).fetchall()

    return rows
