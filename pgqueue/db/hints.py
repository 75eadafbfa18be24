"""Hints: calls after a commit whose loss only costs time, so they never fail what was committed."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import psycopg

from pgqueue.call import Call
from pgqueue.db.attempt import is_usable, seen, statement
from pgqueue.db.liveness import AnyConnection, AsyncBoundedConnection, BoundedConnection, DeadlinePassed
from pgqueue.log import get_logger

log = get_logger("pgqueue.db")

HINT_SECONDS = 2.0


def give(connection: BoundedConnection, hint: Call[Any], deadline: float) -> bool:
    """Run a hint in a transaction of its own that commits asynchronously; tell whether the connection is still usable."""
    with _Harmless(connection, hint, deadline) as attempt:
        psycopg.Cursor(connection).execute(attempt.sql, hint.params)
    return attempt.usable


async def give_async(connection: AsyncBoundedConnection, hint: Call[Any], deadline: float) -> bool:
    """Do the same for asyncio."""
    with _Harmless(connection, hint, deadline) as attempt:
        await psycopg.AsyncCursor(connection).execute(attempt.sql, hint.params)
    return attempt.usable


def keep_for_commit(connection: AnyConnection, call: Call[Any]) -> None:
    """Keep the hint of a call in a transaction of ours, each once; on a connection of the caller's nobody gives it.

    Due or not: what the answer says will be old when the transaction ends.
    """
    kept = getattr(connection, "hints", None)
    if kept is not None and call.after_commit is not None:
        kept[call.after_commit.sql] = call.after_commit


def give_kept(connection: BoundedConnection, deadline: float) -> bool:
    """Give what was kept in the transaction that has just been committed; tell whether the connection is still usable."""
    return all(give(connection, hint, deadline) for hint in _take(connection))


async def give_kept_async(connection: AsyncBoundedConnection, deadline: float) -> bool:
    """Do the same for asyncio."""
    return all([await give_async(connection, hint, deadline) for hint in _take(connection)])


def _take(connection: BoundedConnection | AsyncBoundedConnection) -> list[Call[Any]]:
    hints, connection.hints = connection.hints, None
    return list((hints or {}).values())


class _Harmless:
    """Swallows and logs the failure of a hint; an interrupt passes."""

    def __init__(
        self, connection: BoundedConnection | AsyncBoundedConnection, hint: Call[Any], deadline: float
    ) -> None:
        connection.deadline = min(deadline, time.monotonic() + HINT_SECONDS)
        self.sql = statement(hint, async_commit=True).encode()
        self.usable = False
        self._hint = hint

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool:
        if error is None:
            self.usable = True
            return False
        if not isinstance(error, psycopg.Error | DeadlinePassed):
            return False
        self.usable = is_usable(error)
        why = seen(error) if isinstance(error, psycopg.Error) else "no answer in time"
        log.warning("ring.failed", queue=self._hint.queue, error=why)
        return True
