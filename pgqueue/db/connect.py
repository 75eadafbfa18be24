"""Opens connections: three attempts, 0.5 s doubling, at most 5 s apart; sync and async."""

from __future__ import annotations

import asyncio
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
_log = get_logger("pgqueue.db")


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

    try:
        return Retrying(**_policy(door, CONNECT_ATTEMPTS))(attempt)
    except (psycopg.Error, DeadlinePassed) as error:
        raise _unreachable(door, error) from None


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

    try:
        return await AsyncRetrying(**_policy(door, attempts))(attempt)
    except (psycopg.Error, DeadlinePassed) as error:
        raise _unreachable(door, error) from None


def _options(door: Door, deadline: float) -> dict[str, Any]:
    """Shorten the door's time-out where the call's own deadline is nearer; psycopg takes 2 s or more."""
    limit = min(float(door.connect_timeout), remaining(deadline))
    return {**door.options, "connect_timeout": max(1, round(limit))}


def _policy(door: Door, attempts: int) -> dict[str, Any]:
    return {
        "stop": stop_after_attempt(attempts),
        "wait": wait_exponential(multiplier=0.5, max=5),
        "retry": retry_if_exception_type(psycopg.OperationalError),
        "before_sleep": lambda state: _say_failed(door, state),
        "reraise": True,
    }


def _say_failed(door: Door, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning(
        "connect.failed",
        role=door.role,
        target=door.dsn.display,
        error=_first_line(error),
        attempt=state.attempt_number,
    )


def _unreachable(door: Door, error: BaseException) -> Unavailable:
    why = "no time left" if isinstance(error, DeadlinePassed) else _first_line(error)
    return Unavailable(
        f"can't connect to {door.dsn.display} (from {door.dsn.source}): {why}",
        cure="Check that Postgres runs there and that user, password and database are right.",
    )


def _refuse_pooler(door: Door, connection: AnyConnection, pid: object) -> None:
    if is_pooler(connection, pid):
        raise ConfigurationError(
            f"the direct DSN {door.dsn.display} leads through a connection pooler",
            cure=f"Give the address of Postgres itself in {DIRECT_DSN_VARIABLE}, or leave it out.",
        )


def _first_line(error: BaseException | None) -> str:
    return mask(str(error).strip().partition("\n")[0])
