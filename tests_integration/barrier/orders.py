"""Runs a few transactions statement by statement, in every order, with a death of one session after each statement.

The connections are not in autocommit: the first statement begins the transaction.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

import psycopg

Step = tuple[str, Sequence[object]]
NAMES = "abc"
BLOCKED = "select cardinality(pg_blocking_pids(%s)) > 0"


@dataclass
class Session:
    """One connection in a thread of its own; a statement may still wait when the next is asked for."""

    connection: psycopg.Connection
    errors: list[str] = field(default_factory=list)
    _todo: SimpleQueue[Step | None] = field(default_factory=SimpleQueue)
    _idle: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.pid = self.connection.info.backend_pid
        self._idle.set()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def start(self, step: Step) -> None:
        self._idle.clear()
        self._todo.put(step)

    @property
    def idle(self) -> bool:
        return self._idle.is_set()

    def wait(self, seconds: float) -> bool:
        return self._idle.wait(seconds)

    def end(self) -> None:
        self._todo.put(None)
        self._thread.join(5)

    def _serve(self) -> None:
        while (step := self._todo.get()) is not None:
            try:
                self.connection.execute(step[0].encode(), step[1])
            except psycopg.Error as error:
                self.errors.append(error.sqlstate or "lost")
            self._idle.set()


@dataclass(frozen=True)
class Course:
    """One order of the statements of all, and where who dies: after how many statements of its own."""

    order: tuple[int, ...]
    dies: int | None = None
    after: int = 0

    def __str__(self) -> str:
        death = "" if self.dies is None else f"-{NAMES[self.dies]}-dies-after-{self.after}"
        return "".join(NAMES[who] for who in self.order) + death


def courses(lengths: Sequence[int]) -> Iterator[Course]:
    """Yield every order of the statements, without a death and with one after each statement but the last, the commit."""
    for order in _orders(tuple(lengths)):
        yield Course(order)
        for who, length in enumerate(lengths):
            for after in range(1, length):
                yield Course(order, who, after)


def _orders(left: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield every order in which so many statements of each can follow one another."""
    if not any(left):
        yield ()
    for who, number in enumerate(left):
        if number:
            for rest in _orders((*left[:who], number - 1, *left[who + 1 :])):
                yield (who, *rest)


def play(
    course: Course,
    scripts: Sequence[Sequence[Step]],
    sessions: Sequence[Session],
    observer: psycopg.Connection,
) -> None:
    """Run the statements in this order. One whose session still waits for a lock is put off until that has ended."""
    waiting: list[list[Step]] = [list(script) for script in scripts]
    everybody = range(len(scripts))
    done = [0 for _ in everybody]
    dead = [False for _ in everybody]
    for who in course.order * len(scripts):
        if not waiting[who] or dead[who] or not sessions[who].idle:
            continue
        sessions[who].start(waiting[who].pop(0))
        _settle(sessions, observer)
        done[who] += 1
        if course.dies == who and done[who] == course.after:
            dead[who] = True
            _kill(sessions[who], observer)
            _settle(sessions, observer)
    deadline = time.monotonic() + 10
    while left := [who for who in everybody if waiting[who] and not dead[who]]:
        assert time.monotonic() < deadline, f"{course}: stuck"
        for who in left:
            if sessions[who].wait(0.002):
                sessions[who].start(waiting[who].pop(0))
    assert all(session.wait(max(0.1, deadline - time.monotonic())) for session in sessions), (
        f"{course}: stuck"
    )


def _settle(sessions: Sequence[Session], observer: psycopg.Connection) -> None:
    """Return when each session is idle or waits for a lock."""
    deadline = time.monotonic() + 10
    for session in sessions:
        while not session.wait(0.002):
            row = observer.execute(BLOCKED, [session.pid]).fetchone()
            if row is not None and row[0]:
                break
            assert time.monotonic() < deadline, "a statement neither ends nor waits"


def _kill(session: Session, observer: psycopg.Connection) -> None:
    observer.execute("select pg_terminate_backend(%s, 5000)", [session.pid])
