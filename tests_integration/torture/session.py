"""One connection of a worker: every statement that matters is written down before and after."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import psycopg

from tests_integration.torture.history import Recorder

STATEMENT_BEGAN = "(extract(epoch from statement_timestamp()) * 1000000)::bigint"
STATEMENT_ENDS = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
ASYNCHRONOUS = " where (select set_config('synchronous_commit', 'off', true)) is not null"
LOCK_SECONDS = 5


class Interrupted(Exception):
    """An operation ended in an error that is in the history; the transaction, if any, is over."""


class Session:
    """A connection in autocommit, with numbered explicit transactions.

    `hasty` is the share of calls that get a statement_timeout of a few milliseconds.
    """

    def __init__(self, conninfo: str, recorder: Recorder, chance: random.Random, hasty: float = 0.0) -> None:
        self._recorder = recorder
        self._chance = chance
        self._hasty = hasty
        self.tx: int | None = None
        self.connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=5)
        self._plain(f"set lock_timeout = '{LOCK_SECONDS}s'")

    @property
    def alive(self) -> bool:
        return not (self.connection.closed or self.connection.broken)

    def call(
        self, op: str, query: str, params: Sequence[object], *, asynchronous: bool = False, **fields: object
    ) -> tuple[int, list[tuple[Any, ...]]]:
        """Run one statement. Returns the operation's number and the rows; the caller writes its `ok`."""
        hurried = self._hurry()
        text = query + (ASYNCHRONOUS if asynchronous else "")
        number = self._recorder.invoke(op, tx=self.tx, **{"async": asynchronous}, **fields)
        try:
            rows = self.connection.execute(text.encode(), params).fetchall()
        except psycopg.Error as error:
            self._note_error(number, op, error)
            raise Interrupted from error
        if hurried:
            self._calm()
        return number, rows

    def note(self, number: int, op: str, **fields: object) -> None:
        """Write the `ok` of a call."""
        self._recorder.end(number, "ok", op, **fields)

    def begin(self) -> None:
        self._plain("begin")
        self.tx = self._recorder.next_transaction()

    def commit(self) -> None:
        number = self._recorder.invoke("commit", tx=self.tx)
        try:
            status = self.connection.execute("commit").statusmessage
        except psycopg.Error as error:
            self._note_error(number, "commit", error)
            raise Interrupted from error
        self._recorder.end(number, "ok" if status == "COMMIT" else "fail", "commit")
        self.tx = None

    def rollback(self) -> None:
        """End the transaction; what it did never happened, whatever becomes of this statement."""
        number = self._recorder.invoke("rollback", tx=self.tx)
        self.tx = None
        self._plain("rollback")
        self._recorder.end(number, "ok", "rollback")

    def savepoint(self) -> None:
        self._plain("savepoint s")

    def undo(self, numbers: Sequence[int]) -> None:
        """Roll back to the savepoint, which takes these operations back."""
        self._plain("rollback to savepoint s")
        self._recorder.end(self._recorder.invoke("undo", tx=self.tx, ops=list(numbers)), "ok", "undo")

    def recover(self) -> None:
        """After `Interrupted`: leave the transaction, if the connection still can."""
        if self.alive and self.tx is not None:
            self.rollback()
        self.tx = None

    def close(self) -> None:
        self.connection.close()

    def _plain(self, statement: str) -> None:
        try:
            self.connection.execute(statement.encode())
        except psycopg.Error as error:
            if self.alive:
                self.connection.close()
            raise Interrupted from error

    def _hurry(self) -> bool:
        if self._chance.random() >= self._hasty:
            return False
        scope = "local " if self.tx is not None else ""
        self._plain(f"set {scope}statement_timeout = {self._chance.choice([1, 1, 2, 3, 5, 10])}")
        return True

    def _calm(self) -> None:
        # May hit the very time-out that it lifts: then the connection is given up.
        self._plain(f"set {'local ' if self.tx is not None else ''}statement_timeout = 0")

    def _note_error(self, number: int, op: str, error: psycopg.Error) -> None:
        """A living connection says that the statement was rolled back; a dead one says nothing."""
        state = error.sqlstate
        known = self.alive and state is not None
        kind = "fail" if known else "info"
        self._recorder.end(number, kind, op, state=state, text=str(error)[:200])
        if known and self.tx is None:
            self._plain("set statement_timeout = 0")
