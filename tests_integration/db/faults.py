"""Both runners behind one face, and ways to end a connection half-way through a statement."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import psycopg

from pgqueue.call import Call
from pgqueue.db.runner import AsyncRunner, Runner
from pgqueue.message import calls
from pgqueue.message.model import Message, Outcome
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.waiting import eventually

T = TypeVar("T")
QUEUE = "orders"


class AnyRunner(Protocol):
    """What the tests need of either runner."""

    def run(self, call: Call[T]) -> T: ...

    def idle(self) -> list[Any]: ...

    def take_one(self) -> Any: ...

    def fill(self) -> None: ...

    def shut(self) -> None: ...

    def close(self) -> None: ...


class SyncFace:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def run(self, call: Call[T]) -> T:
        return self._runner.run(call)

    def idle(self) -> list[Any]:
        return self._runner._pool._idle._connections

    def take_one(self) -> Any:
        return self._runner._pool.acquire(time.monotonic() + 5).connection

    def fill(self) -> None:
        for connection in [self.take_one(), self.take_one()]:
            self._runner._pool.give_back(connection, usable=True)

    def shut(self) -> None:
        self._runner.close()

    def close(self) -> None:
        self.shut()


class AsyncFace:
    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner
        self._loop = asyncio.new_event_loop()

    def run(self, call: Call[T]) -> T:
        return self._loop.run_until_complete(self._runner.run(call))

    def idle(self) -> list[Any]:
        return self._runner._pool._idle._connections

    def take_one(self) -> Any:
        return self._loop.run_until_complete(self._runner._pool.acquire(time.monotonic() + 5)).connection

    def fill(self) -> None:
        for connection in [self.take_one(), self.take_one()]:
            self._loop.run_until_complete(self._runner._pool.give_back(connection, usable=True))

    def shut(self) -> None:
        self._loop.run_until_complete(self._runner.close())

    def close(self) -> None:
        self.shut()
        self._loop.close()


OpenRunner = Callable[..., AnyRunner]


@dataclass
class Events:
    """The events of the database room, as they were logged."""

    seen: list[dict[str, Any]] = field(default_factory=list)

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.seen if event["event"] == name]


Settle = Callable[[Message], Call[Outcome]]
SETTLING: dict[str, Settle] = {
    "delete": lambda m: calls.delete(QUEUE, m.msg_id, m.receipt),
    "archive": lambda m: calls.archive(QUEUE, m.msg_id, m.receipt),
    "set_vt": lambda m: calls.set_vt(QUEUE, m.msg_id, 60, m.receipt),
    "release": lambda m: calls.release(QUEUE, m.msg_id, m.receipt),
    "retry": lambda m: calls.retry(QUEUE, m.msg_id, 60, "boom", m.receipt),
    "bury": lambda m: calls.bury(QUEUE, m.msg_id, "hopeless", None, m.receipt),
}
UNFENCED: dict[str, Settle] = {
    "delete": lambda m: calls.delete(QUEUE, m.msg_id),
    "archive": lambda m: calls.archive(QUEUE, m.msg_id),
    "set_vt": lambda m: calls.set_vt(QUEUE, m.msg_id, 60),
    "release": lambda m: calls.release(QUEUE, m.msg_id),
    "retry": lambda m: calls.retry(QUEUE, m.msg_id, 60),
    "bury": lambda m: calls.bury(QUEUE, m.msg_id, "hopeless"),
}


def lease(runner: AnyRunner, db: psycopg.Connection) -> Message:
    """Send one message and lease it: the runner then has a connection to reuse."""
    db.execute("select pgqueue.send('orders', '1')")
    return runner.run(calls.read(QUEUE))[0]


def warm(runner: AnyRunner) -> None:
    """Let the runner have a connection that was made by an earlier call."""
    runner.run(calls.peek(QUEUE))


def stored(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    """The messages that stand in the queue: msg_id, read_ct, release_ct, priority."""
    return db.execute(
        "select msg_id, read_ct, release_ct, priority from pgqueue.q_orders order by msg_id"
    ).fetchall()


def blocked_pid(db: psycopg.Connection) -> int | None:
    row = db.execute(
        "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    ).fetchone()
    return None if row is None else row[0]


def is_no_longer_blocked(db: psycopg.Connection, pid: int) -> bool:
    return blocked_pid(db) != pid


@contextmanager
def while_blocked(database: Database, faults: list[Callable[[int], object]]) -> Iterator[list[int]]:
    """Block every statement on the queue; each that gets stuck meets the next fault, then the way is free.

    Gives the backend pids that met a fault.
    """
    holder, watcher = database.connect(autocommit=False), database.connect()
    holder.execute("lock table pgqueue.r_orders in access exclusive mode")
    met: list[int] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for fault in faults:
                pid = eventually(lambda: blocked_pid(watcher)) or 0
                met.append(pid)
                fault(pid)
                eventually(functools.partial(is_no_longer_blocked, watcher, pid))
        except BaseException as failure:  # noqa: BLE001 - told in the thread of the test
            failures.append(failure)
        finally:
            holder.rollback()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield met
    finally:
        thread.join()
    assert not failures, failures


def kill(db: psycopg.Connection) -> Callable[[int], object]:
    """End a backend for real."""
    return lambda pid: db.execute("select pg_terminate_backend(%s)", (pid,))


def end_idle(db: psycopg.Connection) -> None:
    """End every idle connection of the runner, and wait until the backends are gone."""
    rows = db.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'pgqueue/test' and datname = current_database()"
    ).fetchall()
    assert rows
    assert all(ended for (ended,) in rows)
