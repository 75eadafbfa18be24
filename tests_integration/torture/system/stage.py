"""What a fault can reach, and what it says of itself."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg

from tests_integration.torture.system.crew import Crew
from tests_integration.torture.system.ground import Ground
from tests_integration.torture.system.schedule import Fault

T = TypeVar("T")

LOOK_SECONDS = 0.05
VICTIM_SECONDS = 8.0
SERVER_SECONDS = 60.0


class NobodyThere(Exception):
    """No victim turned up in time: the fault did not happen."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a fault has done. `of`: whose connections; `loses_async`: commits that no disk had are lost."""

    pids: list[int] = field(default_factory=list)
    of: str | None = None
    loses_async: bool = False
    least_seconds: float = 0.0  # before it is healed, also when it came late


@dataclass(frozen=True)
class Stage:
    """Everything that can be hit. What can't be hit twice at a time has a lock."""

    ground: Ground
    crew: Crew
    locks: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def sql(self, statement: str, seconds: float = SERVER_SECONDS) -> list[tuple[object, ...]]:
        """Run a statement as soon as the server lets us; return its rows."""

        def attempt() -> list[tuple[object, ...]] | None:
            try:
                with self.ground.connect() as connection:
                    cursor = connection.execute(statement.encode())
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                return None

        return wait_for(attempt, seconds, f"a server for {statement[:60]}")


Strike = Callable[[Stage, Fault], AbstractContextManager[Hit]]


def wait_for(find: Callable[[], T | None], seconds: float = VICTIM_SECONDS, what: str = "a victim") -> T:
    """Return what `find` gives, as soon as that is not None. Raises: NobodyThere."""
    deadline = time.monotonic() + seconds
    while (found := find()) is None:
        if time.monotonic() > deadline:
            raise NobodyThere(f"no {what} within {seconds:g} s")
        time.sleep(LOOK_SECONDS)
    return found


def chosen(pick: float, among: list[T]) -> T | None:
    """Choose by the schedule's number; None where there is nobody."""
    return among[int(pick * len(among))] if among else None
