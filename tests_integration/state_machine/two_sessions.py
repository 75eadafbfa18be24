"""Two sessions take random steps in overlapping transactions; a bookkeeper notes what nobody else may then see.

A step that has to wait for the other session stays open, and the other one goes on until it may end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import psycopg

STEP_SECONDS = 0.002
LEASE = "60 s"
Note = Callable[[], None]  # what a step that is done means to the books; run in the order of the steps

ALLOWED = {"55P03", "PQ006"}  # lock_timeout, and the same for an idempotency key


class TimedOut(Exception):
    """The step waited for the other session for too long."""


class Broken(AssertionError):
    """A promise to two sessions at once didn't hold."""


@dataclass
class Books:
    """What has been committed. `leases`: receipt by message; `keys`: the message that a key stands for; `ended`: how."""

    leases: dict[int, int] = field(default_factory=dict)
    alive: set[int] = field(default_factory=set)
    ended: dict[int, str] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)


class Session:
    """One connection. What it did since `begin` stays its own until it commits.

    The steps run in a thread and answer with a note, which the schedule runs.
    """

    def __init__(self, connection: psycopg.Connection, books: Books, count: Counter[str]) -> None:
        self.connection = connection
        self.pid = connection.info.backend_pid
        self.books = books
        self.count = count
        self.other: Session
        self.pending: Future[Note] | None = None
        self.open = False
        self.failed = False
        self.touched: set[int] = set()
        self.leases: dict[int, int] = {}
        self.known: list[tuple[int, int]] = []
        self._commits: list[Note] = []

    def begin(self, keys: list[str | None] | None) -> Note:
        self.connection.execute("begin")
        self.open = True
        return (lambda: None) if keys is None else self.send(keys)

    def end(self, *, keep: bool) -> Note:
        self.connection.execute("commit" if keep and not self.failed else "rollback")
        return lambda: self._close(keep=keep and not self.failed)

    def send(self, keys: list[str | None]) -> Note:
        query = "select * from pgqueue.send_batch('work', array_fill('1'::jsonb, array[%s]), keys => %s)"
        ids = [row[0] for row in self._run(query, len(keys), keys)]
        named = {key: msg_id for key, msg_id in zip(keys, ids, strict=True) if key is not None}

        def note() -> None:
            for key, msg_id in named.items():
                if self.books.keys.get(key, msg_id) != msg_id:
                    raise Broken(f"key {key} stands for {self.books.keys[key]}, answered was {msg_id}")
            fresh = set(ids) - set(self.books.keys.values())
            self._note(fresh, lambda: self.books.alive.update(fresh))
            self._note(set(), lambda: self.books.keys.update(named))

        return note

    def read(self, qty: int) -> Note:
        rows = self._run("select msg_id, receipt from pgqueue.read('work', vt => %s, qty => %s)", LEASE, qty)

        def note() -> None:
            for msg_id, receipt in rows:
                leased = msg_id in self.books.leases and msg_id not in self.touched
                if leased or msg_id in self.other.touched:
                    raise Broken(f"message {msg_id} was handed out twice")
                self.known.append((msg_id, receipt))
                self.leases[msg_id] = receipt
            self.count["leased"] += len(rows)
            self._note({row[0] for row in rows}, lambda: self.books.leases.update(rows))

        return note

    def settle(self, verb: str, leases: list[tuple[int, int]]) -> Note:
        more = {
            "retry": ", delays => array_fill(interval '0', array[cardinality(%s)])",
            "bury": ", reasons => %s",
        }
        ids, receipts = [lease[0] for lease in leases], [lease[1] for lease in leases]
        extras: dict[str, list[object]] = {"retry": [ids], "bury": [["bad"] * len(ids)]}
        query = f"select msg_id, outcome from pgqueue.{verb}_batch('work', %s, receipts => %s{more.get(verb, '')})"
        outcomes = dict(self._run(query, ids, receipts, *extras.get(verb, [])))
        done = {msg_id for msg_id, outcome in outcomes.items() if outcome == "done"}

        def commit() -> None:
            for msg_id in done:
                self.books.leases.pop(msg_id, None)
            if verb not in {"retry", "release"}:
                self.books.alive.difference_update(done)
                self.books.ended.update(dict.fromkeys(done, verb))

        def note() -> None:
            if done & self.other.touched:
                raise Broken(
                    f"messages {done & self.other.touched} were settled under the other's transaction"
                )
            current = self.books.leases | self.leases
            if any((msg_id, current.get(msg_id)) not in leases for msg_id in done):
                raise Broken(f"{verb} took a receipt that is not the message's: {leases}, {current}")
            self.count["settled"] += len(done)
            self._note(done, commit)

        return note

    def fail(self) -> None:
        """The server has given up the whole transaction, and its locks with it."""
        self.count["timed out"] += 1
        was_open = self.open
        self._close(keep=False)
        self.open = self.failed = was_open

    def _run(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        try:
            return self.connection.execute(query.encode(), parameters).fetchall()
        except psycopg.Error as error:
            if error.sqlstate not in ALLOWED:
                raise
            raise TimedOut from error

    def _note(self, touched: set[int], commit: Note) -> None:
        self.touched |= touched
        self._commits.append(commit)
        if not self.open:
            self._close(keep=True)

    def _close(self, *, keep: bool) -> None:
        for commit in self._commits if keep else []:
            commit()
        self._commits, self.touched, self.leases = [], set(), {}
        self.open = self.failed = False


class Schedule:
    """One seed, one order of steps. Afterwards everything is ended and counted."""

    def __init__(self, seed: int, sessions: list[Session], observer: psycopg.Connection) -> None:
        self.random = random.Random(seed)
        self.sessions = sessions
        self.observer = observer

    def run(self, steps: int, pool: ThreadPoolExecutor) -> None:
        for _ in range(steps):
            session = self.random.choice([session for session in self.sessions if session.pending is None])
            self._do(pool, session, self._choose(session))
        for session in sorted(self.sessions, key=lambda session: session.pending is not None):
            while session.pending is not None:
                self._collect(session)
            if session.open:
                self._do(pool, session, lambda session=session: session.end(keep=True))  # type: ignore[misc]

    def _choose(self, session: Session) -> Callable[[], Note]:
        pick = self.random.random()
        if session.failed or (session.open and pick < 0.25):
            keep = self.random.random() < 0.6
            return lambda: session.end(keep=keep)
        if not session.open and pick < 0.5:
            # A key is asked for first in a transaction: waiting for it then holds up nobody.
            keys = self.random.sample(["k1", "k2", "k3", None], 3)
            return lambda: session.begin(keys if pick < 0.2 else None)
        if pick < 0.6:
            qty = self.random.choice([1, 2, 5])
            return lambda: session.read(qty)
        if pick < 0.65:
            return lambda: session.send([None])
        verb = self.random.choice(["delete", "archive", "retry", "release", "bury"])
        current = [*(session.books.leases | session.leases | session.other.leases).items()]
        known = current if current and self.random.random() < 0.8 else [*session.known, (999, 42)]
        meeting = [lease for lease in current if lease[0] in session.other.touched]
        known = meeting if meeting and self.random.random() < 0.5 else known
        leases = self.random.choices(known[-4:], k=self.random.choice([1, 3]))
        return lambda: session.settle(verb, leases)

    def _do(self, pool: ThreadPoolExecutor, session: Session, step: Callable[[], Note]) -> None:
        """Run a step, and whatever it wakes, until all is done or seen to wait for the other session."""
        session.pending = pool.submit(step)
        self._collect(session)
        session.count["blocked"] += session in self._waiting()
        while len(futures := [each.pending for each in self._waiting() if each.pending]) == len(
            self.sessions
        ):
            # Each waits for a row of the other: lock_timeout ends it, long before the search for deadlocks.
            wait(futures, timeout=STEP_SECONDS, return_when="FIRST_COMPLETED")
            self._collect(session)

    def _waiting(self) -> list[Session]:
        return [session for session in self.sessions if session.pending is not None]

    def _collect(self, first: Session) -> None:
        """Enter what is done into the books: what was given up first, then the step, then what it woke."""
        while not all(self._done(each) or self._blocked(each) for each in self.sessions):
            futures = [each.pending for each in self.sessions if each.pending is not None]
            wait(futures, timeout=STEP_SECONDS)
        finished = [each for each in (first, first.other) if each.pending is not None and each.pending.done()]
        notes = {each: each.pending for each in finished if each.pending is not None}
        for each in sorted(finished, key=lambda each: not isinstance(notes[each].exception(), TimedOut)):
            each.pending = None
            try:
                notes[each].result()()
            except TimedOut:
                each.fail()

    def _done(self, session: Session) -> bool:
        return session.pending is None or session.pending.done()

    def _blocked(self, session: Session) -> bool:
        query = "select cardinality(pg_blocking_pids(%s)) > 0"
        return self.observer.execute(query, [session.pid]).fetchone() == (True,)
