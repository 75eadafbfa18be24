"""Runs calls: on our own connections, with a deadline and at most one repeat; or on the caller's, untouched.

The sync and the async classes only wait differently. Every decision is in `attempt`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar, overload

import psycopg
from psycopg.rows import tuple_row

from pgqueue.call import Call, Rows
from pgqueue.db.attempt import (
    REPEAT_PAUSE,
    Trial,
    callers_failure,
    is_in_transaction,
    is_usable,
    statement,
)
from pgqueue.db.doors import Door
from pgqueue.db.hints import give, give_async, keep_for_commit
from pgqueue.db.liveness import AnyConnection, check_callers
from pgqueue.db.pools import AsyncPool, Pool
from pgqueue.errors import PgQueueError

T = TypeVar("T")
CALL_TIMEOUT = 30.0
MAX_CONNECTIONS = 4


class Runner:
    """Runs calls on our own connections. Safe to share between threads; opens nothing before the first call.

    `call_timeout`: no call takes longer, whatever TCP says, waiting for a connection included.
    `async_commit`: calls whose loss is only a redelivery don't wait for the disk.
    """

    def __init__(
        self,
        door: Door,
        *,
        call_timeout: float = CALL_TIMEOUT,
        max_connections: int = MAX_CONNECTIONS,
        async_commit: bool = True,
    ) -> None:
        self.door = door
        self.call_timeout = call_timeout
        self.async_commit = async_commit
        self._pool = Pool(door, max_connections)

    def run(self, call: Call[T]) -> T:
        """Run one call in its own transaction.

        Raises: Unavailable (not done, or harmless to do again), InDoubt (perhaps done), ClientMisuse, and
        what the verb documents.
        """
        trial = Trial(call, statement(call, async_commit=self.async_commit), self.call_timeout)
        try:
            return self._attempt(trial)
        except PgQueueError as error:
            if not trial.may_repeat:
                raise
            trial.note_repeat(error)
        # One repeat by structure, not by a counter.
        time.sleep(REPEAT_PAUSE)
        return self._attempt(trial)

    def close(self) -> None:
        """Close every connection. Safe to repeat."""
        self._pool.close()

    def _attempt(self, trial: Trial[T]) -> T:
        slot = self._pool.acquire(trial.deadline, fresh=trial.repeated)
        usable = True
        try:
            rows = _execute(slot.connection, trial.sql, trial.call)
        except BaseException as error:
            usable = is_usable(error)
            failure = trial.failure(error, slot.connection, reused=slot.reused)
            if failure is error:
                raise
            raise failure from error
        else:
            hint = trial.call.hint(rows)
            if hint is not None:
                usable = False  # if this is interrupted
                usable = give(slot.connection, hint, trial.deadline)
        finally:
            self._pool.give_back(slot.connection, usable=usable)
        return trial.call.result(rows, repeated=trial.repeated)


class AsyncRunner:
    """The same for asyncio. It belongs to the event loop of its first call."""

    def __init__(
        self,
        door: Door,
        *,
        call_timeout: float = CALL_TIMEOUT,
        max_connections: int = MAX_CONNECTIONS,
        async_commit: bool = True,
    ) -> None:
        self.door = door
        self.call_timeout = call_timeout
        self.async_commit = async_commit
        self._pool = AsyncPool(door, max_connections)

    async def run(self, call: Call[T]) -> T:
        """Run one call in its own transaction.

        Raises: Unavailable (not done, or harmless to do again), InDoubt (perhaps done), ClientMisuse, and
        what the verb documents.
        """
        trial = Trial(call, statement(call, async_commit=self.async_commit), self.call_timeout)
        try:
            return await self._attempt(trial)
        except PgQueueError as error:
            if not trial.may_repeat:
                raise
            trial.note_repeat(error)
        await asyncio.sleep(REPEAT_PAUSE)
        return await self._attempt(trial)

    async def close(self) -> None:
        """Close every connection. Safe to repeat."""
        await self._pool.close()

    async def _attempt(self, trial: Trial[T]) -> T:
        slot = await self._pool.acquire(trial.deadline, fresh=trial.repeated)
        usable = True
        try:
            rows = await _execute_async(slot.connection, trial.sql, trial.call)
        except BaseException as error:
            usable = is_usable(error)
            failure = trial.failure(error, slot.connection, reused=slot.reused)
            if failure is error:
                raise
            raise failure from error
        else:
            hint = trial.call.hint(rows)
            if hint is not None:
                usable = False  # if this is interrupted
                usable = await give_async(slot.connection, hint, trial.deadline)
        finally:
            await self._pool.give_back(slot.connection, usable=usable)
        return trial.call.result(rows, repeated=trial.repeated)


class ConnectionRunner:
    """Runs calls on the caller's connection. Nothing is repeated, committed, closed or set."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        check_callers(connection, psycopg.Connection)
        self.connection = connection

    @property
    def in_transaction(self) -> bool:
        """Whether a call run now is part of a transaction that stays open after it."""
        return is_in_transaction(self.connection)

    def run(self, call: Call[T]) -> T:
        """Run one call as part of the connection's transaction. Raises: as `Runner.run`."""
        check_callers(self.connection, psycopg.Connection)
        in_transaction = is_in_transaction(self.connection)
        try:
            rows = _execute(self.connection, call.sql, call)
        except psycopg.Error as error:
            raise callers_failure(error, call, self.connection, in_transaction=in_transaction) from error
        keep_for_commit(self.connection, call)
        return call.result(rows)


class AsyncConnectionRunner:
    """The same for asyncio."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        check_callers(connection, psycopg.AsyncConnection)
        self.connection = connection

    @property
    def in_transaction(self) -> bool:
        """Whether a call run now is part of a transaction that stays open after it."""
        return is_in_transaction(self.connection)

    async def run(self, call: Call[T]) -> T:
        """Run one call as part of the connection's transaction. Raises: as `Runner.run`."""
        check_callers(self.connection, psycopg.AsyncConnection)
        in_transaction = is_in_transaction(self.connection)
        try:
            rows = await _execute_async(self.connection, call.sql, call)
        except psycopg.Error as error:
            raise callers_failure(error, call, self.connection, in_transaction=in_transaction) from error
        keep_for_commit(self.connection, call)
        return call.result(rows)


@overload
def on_connection(connection: psycopg.Connection[Any]) -> ConnectionRunner: ...
@overload
def on_connection(connection: psycopg.AsyncConnection[Any]) -> AsyncConnectionRunner: ...
def on_connection(connection: AnyConnection) -> ConnectionRunner | AsyncConnectionRunner:
    """Return the runner for the caller's own connection, sync or async. Raises: InvalidInput."""
    if isinstance(connection, psycopg.AsyncConnection):
        return AsyncConnectionRunner(connection)
    return ConnectionRunner(connection)


# Both make their own cursor: the connection's factories may give dicts, or bind on the client side. Binary
# results pass by the text loaders that the caller may have replaced.
def _execute(connection: psycopg.Connection[Any], sql: str, call: Call[Any]) -> Rows:
    cursor = psycopg.Cursor(connection, row_factory=tuple_row)
    return cursor.execute(sql.encode(), call.params, binary=True).fetchall()


async def _execute_async(connection: psycopg.AsyncConnection[Any], sql: str, call: Call[Any]) -> Rows:
    cursor = psycopg.AsyncCursor(connection, row_factory=tuple_row)
    return await (await cursor.execute(sql.encode(), call.params, binary=True)).fetchall()
