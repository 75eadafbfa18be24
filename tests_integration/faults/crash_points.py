"""Imported by the app of a worker process that is to die: kills it before or after its n-th statement of a name.

`CRASH_LOG` names a file that gets a line for each point that the process passes; `CRASH_AT` is the point to die
at, once: a process that is started in its place lives. Or `CRASH_PLAN` names a file that says "before send 2": the second
time from then on that the process comes there, the server's process of its connection is killed, and the file is gone.
What a worker does by the clock (upkeep, settings, renewal, a read that finds nothing) is no point: the order of the
others is the same in every run.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psycopg
from psycopg._connection_base import BaseConnection

OF_A_MESSAGE = re.compile(
    r"schema_version|send|read|delete|archive|retry|release|bury|barrier_(ack|bury|callback|finish|ring)"
)
READS = re.compile(r"^read")
_VERB = re.compile(r"pgqueue\.([a-z_]+?)(?:__[a-z0-9_]+)?\(")
_seen: Counter[str] = Counter()


def name_of(query: object) -> str | None:
    """Name a statement by the function of ours that it calls, else by its first words; None for what is no point."""
    text = query.decode() if isinstance(query, bytes) else str(query)
    found = _VERB.search(text)
    if found is None:
        return "_".join(re.findall(r"[a-z_.]+", text.lower())[:3])
    return found[1] if OF_A_MESSAGE.match(found[1]) else None


def pass_point(when: str, name: str, number: int, backend: int | None = None) -> None:
    """Write down that the process is here, or end it; nothing in a worker that isn't to die."""
    if "CRASH_PLAN" in os.environ:
        _kill_backend_if_planned(f"{when} {name}", backend)
    if "CRASH_LOG" not in os.environ:
        return
    point = f"{when} {name} {number}"
    with Path(os.environ["CRASH_LOG"]).open("a") as log:
        log.write(point + "\n")
    died = Path(os.environ["CRASH_LOG"] + ".died")
    if os.environ.get("CRASH_AT") == point and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _kill_backend_if_planned(point: str, backend: int | None) -> None:
    plan = Path(os.environ["CRASH_PLAN"])
    planned, _, times = plan.read_text().rpartition(" ") if plan.exists() else ("", "", "0")
    if planned != point or backend is None:
        return
    if int(times) > 1:
        plan.write_text(f"{point} {int(times) - 1}")
        return
    plan.unlink()
    os.kill(backend, signal.SIGKILL)


def around(name: str, work: Callable[[], Any]) -> Any:
    """Do a step of the handler that is no statement, as a point of its own."""
    _seen[name] += 1
    pass_point("before", name, _seen[name])
    result = work()
    pass_point("after", name, _seen[name])
    return result


class _Statement:
    """One statement on its way. Of the reads those count that bring something; before it, only the first one."""

    def __init__(self, query: object, connection: Any) -> None:
        self._name = name_of(query)
        self._backend = connection.pgconn.backend_pid or None
        self._is_read = self._name is not None and READS.match(self._name) is not None
        if self._name is None:
            return
        if not self._is_read:
            _seen[self._name] += 1
            pass_point("before", self._name, _seen[self._name], self._backend)
        elif not _seen["asked"]:
            _seen["asked"] = 1
            pass_point("before", self._name, 1, self._backend)

    def ended(self, rows: int) -> None:
        if self._name is None or (self._is_read and rows <= 0):
            return
        _seen[self._name] += self._is_read
        pass_point("after", self._name, _seen[self._name], self._backend)


def install() -> None:
    """Put the points around every statement of this process, those of the handlers' transactions included."""
    run, run_async, command = (
        psycopg.Cursor.execute,
        psycopg.AsyncCursor.execute,
        BaseConnection._exec_command,
    )

    def execute(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        statement = _Statement(query, self.connection)
        result = run(self, query, *args, **options)
        statement.ended(self.rowcount)
        return result

    async def execute_async(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        statement = _Statement(query, self.connection)
        result = await run_async(self, query, *args, **options)
        statement.ended(self.rowcount)
        return result

    def exec_command(self: Any, sent: Any, *args: Any, **options: Any) -> Generator[Any, Any, Any]:
        statement = _Statement(sent, self)
        result = yield from command(self, sent, *args, **options)
        statement.ended(0)
        return result

    psycopg.Cursor.execute = execute  # type: ignore[method-assign]
    psycopg.AsyncCursor.execute = execute_async  # type: ignore[method-assign]
    BaseConnection._exec_command = exec_command  # type: ignore[method-assign, assignment]


if {"CRASH_LOG", "CRASH_PLAN"} & set(os.environ):
    install()
