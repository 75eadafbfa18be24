"""Imported by the app of a worker process that is to die: kills it before or after its n-th statement of a name.

`CRASH_LOG` names a file that gets a line for each point that the process passes; `CRASH_AT` is the point to die
at, once: a process that is started in its place lives. What a worker does by the clock (upkeep, settings, renewal,
a read that finds nothing) is no point: the order of the others is the same in every run.
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

OF_A_MESSAGE = re.compile(r"schema_version|send|read|delete|archive|retry|release|bury")
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


def pass_point(when: str, name: str, number: int) -> None:
    """Write down that the process is here, or end it; nothing in a worker that isn't to die."""
    if "CRASH_LOG" not in os.environ:
        return
    point = f"{when} {name} {number}"
    with Path(os.environ["CRASH_LOG"]).open("a") as log:
        log.write(point + "\n")
    died = Path(os.environ["CRASH_LOG"] + ".died")
    if os.environ.get("CRASH_AT") == point and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def around(name: str, work: Callable[[], Any]) -> Any:
    """Do a step of the handler that is no statement, as a point of its own."""
    _seen[name] += 1
    pass_point("before", name, _seen[name])
    result = work()
    pass_point("after", name, _seen[name])
    return result


class _Statement:
    """One statement on its way. Of the reads those count that bring something; before it, only the first one."""

    def __init__(self, query: object) -> None:
        self._name = name_of(query)
        self._is_read = self._name is not None and READS.match(self._name) is not None
        if self._name is None:
            return
        if not self._is_read:
            _seen[self._name] += 1
            pass_point("before", self._name, _seen[self._name])
        elif not _seen["asked"]:
            _seen["asked"] = 1
            pass_point("before", self._name, 1)

    def ended(self, rows: int) -> None:
        if self._name is None or (self._is_read and rows <= 0):
            return
        _seen[self._name] += self._is_read
        pass_point("after", self._name, _seen[self._name])


def install() -> None:
    """Put the points around every statement of this process, those of the handlers' transactions included."""
    run, run_async, command = (
        psycopg.Cursor.execute,
        psycopg.AsyncCursor.execute,
        BaseConnection._exec_command,
    )

    def execute(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        statement = _Statement(query)
        result = run(self, query, *args, **options)
        statement.ended(self.rowcount)
        return result

    async def execute_async(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        statement = _Statement(query)
        result = await run_async(self, query, *args, **options)
        statement.ended(self.rowcount)
        return result

    def exec_command(self: Any, sent: Any, *args: Any, **options: Any) -> Generator[Any, Any, Any]:
        statement = _Statement(sent)
        result = yield from command(self, sent, *args, **options)
        statement.ended(0)
        return result

    psycopg.Cursor.execute = execute  # type: ignore[method-assign]
    psycopg.AsyncCursor.execute = execute_async  # type: ignore[method-assign]
    BaseConnection._exec_command = exec_command  # type: ignore[method-assign, assignment]


if "CRASH_LOG" in os.environ:
    install()
