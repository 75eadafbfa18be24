"""Opens connections: three attempts, 0.5 s doubling, at most 5 s apart; sync and async.

A program that waits for its database tries for ever: a door's failures are logged once, then once a minute.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from pgqueue.db.doors import BACKEND_PID, Door, is_pooler
from pgqueue.db.liveness import (
    AnyConnection,
    AsyncBoundedConnection,
    BoundedConnection,
    DeadlinePassed,
    remaining,
)
from pgqueue.errors import ConfigurationError, Unavailable
from pgqueue.log import get_logger
from pgqueue.settings import DIRECT_DSN_VARIABLE, mask

CONNECT_ATTEMPTS = 3
SAY_AGAIN_AFTER = 60.0
_log = get_logger("pgqueue.db")
_said_at: dict[Door, float] = {}  # doors that fail, until they open again


def open_connection(door: Door, deadline: float) -> BoundedConnection:
    """Open a connection.

    Raises: Unavailable after three attempts; ConfigurationError for a pooler behind a DirectDoor.
    """
    conninfo = door.conninfo()

    def attempt() -> BoundedConnection:
        connection = BoundedConnection.connect(conninfo, **_options(door, deadline))
        try:
            if door.refuses_poolers:
                connection.deadline = deadline
                pid = connection.execute(BACKEND_PID).fetchone()
                _refuse_pooler(door, connection, pid)
        except BaseException:
            connection.close()
            raise
        return connection

    tries = _Tries(door)
    try:
        connection: BoundedConnection = Retrying(**tries.policy(CONNECT_ATTEMPTS))(attempt)
    except (psycopg.Error, DeadlinePassed) as error:
        raise tries.unreachable(error) from None
    _said_at.pop(door, None)
    return connection


async def open_async_connection(
    door: Door, deadline: float, *, attempts: int = CONNECT_ATTEMPTS
) -> AsyncBoundedConnection:
    """Do the same for asyncio."""
    conninfo = await asyncio.to_thread(door.conninfo) if door.dsn.is_embedded else door.conninfo()

    async def attempt() -> AsyncBoundedConnection:
        connection = await AsyncBoundedConnection.connect(conninfo, **_options(door, deadline))
        try:
            if door.refuses_poolers:
                connection.deadline = deadline
                pid = await (await connection.execute(BACKEND_PID)).fetchone()
                _refuse_pooler(door, connection, pid)
        except BaseException:
            await connection.close()
            raise
        return connection

    tries = _Tries(door)
    try:
        connection: AsyncBoundedConnection = await AsyncRetrying(**tries.policy(attempts))(attempt)
    except (psycopg.Error, DeadlinePassed) as error:
        raise tries.unreachable(error) from None
    _said_at.pop(door, None)
    return connection


def _options(door: Door, deadline: float) -> dict[str, Any]:
    """Shorten the door's time-out where the call's own deadline is nearer; psycopg takes 2 s or more."""
    limit = min(float(door.connect_timeout), remaining(deadline))
    return {**door.options, "connect_timeout": max(1, round(limit))}


class _Tries:
    """The attempts of one opening: how they are paced, what is logged, and what it all comes to."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._is_news = time.monotonic() - _said_at.get(door, -SAY_AGAIN_AFTER) >= SAY_AGAIN_AFTER
        self._last: BaseException | None = None

    def policy(self, attempts: int) -> dict[str, Any]:
        return {
            "stop": stop_after_attempt(attempts),
            "wait": wait_exponential(multiplier=0.5, max=5),
            "retry": retry_if_exception_type(psycopg.OperationalError),
            "before_sleep": self._failed,
            "reraise": True,
        }

    def unreachable(self, error: BaseException) -> Unavailable:
        """Name the reason: what the last attempt met, also where there was no time for another one."""
        if isinstance(error, DeadlinePassed):
            why = "no time left" if self._last is None else _first_line(self._last)
        else:
            why = _first_line(error)
        return Unavailable(
            f"can't connect to {self._door.dsn.display} (from {self._door.dsn.source}): {why}",
            cure="Check that Postgres runs there and that user, password and database are right.",
        )

    def _failed(self, state: RetryCallState) -> None:
        self._last = state.outcome.exception() if state.outcome else None
        if not self._is_news:
            return
        _said_at[self._door] = time.monotonic()
        _log.warning(
            "connect.failed",
            role=self._door.role,
            target=self._door.dsn.display,
            error=_first_line(self._last),
            attempt=state.attempt_number,
        )


def _refuse_pooler(door: Door, connection: AnyConnection, pid: object) -> None:
    if is_pooler(connection, pid):
        raise ConfigurationError(
            f"the direct DSN {door.dsn.display} leads through a connection pooler",
            cure=f"Give the address of Postgres itself in {DIRECT_DSN_VARIABLE}, or leave it out.",
        )


def _first_line(error: BaseException | None) -> str:
    return mask(str(error).strip().partition("\n")[0])
