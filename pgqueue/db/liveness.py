"""Whether a connection can be used, and how long a call may wait for it."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

from pgqueue.call import Call
from pgqueue.errors import InvalidInput

T = TypeVar("T")
Connection = psycopg.Connection[Any]
AsyncConnection = psycopg.AsyncConnection[Any]
AnyConnection = Connection | AsyncConnection


class DeadlinePassed(Exception):
    """No answer came in time. The connection must be closed: what became of the statement is unknown."""


def remaining(deadline: float) -> float:
    """Return the seconds until a monotonic deadline. Raises: DeadlinePassed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlinePassed
    return left


def bounded(waiting: Generator[Any, Any, T], deadline: float) -> Generator[Any, Any, T]:
    """Run psycopg's wait for the socket, but not past the deadline.

    psycopg wakes its generators every 0.1 s while nothing arrives. Raising from inside that wait needs
    neither a watchdog thread, which could close a file descriptor that has just been reused, nor any answer
    from TCP.
    """
    try:
        state = next(waiting)
        while True:
            ready = yield state
            state = waiting.send(ready)
            if time.monotonic() >= deadline:
                raise DeadlinePassed
    except StopIteration as end:
        result: T = end.value
        return result


class BoundedConnection(psycopg.Connection[Any]):
    """Our own connection: no statement on it waits past `deadline` (monotonic)."""

    deadline: float = math.inf
    hints: dict[str, Call[Any]] | None = (
        None  # what is to be given after the commit, in a transaction of ours
    )

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        return super().wait(bounded(gen, self.deadline), *args, **kwargs)


class AsyncBoundedConnection(psycopg.AsyncConnection[Any]):
    """The same for asyncio."""

    deadline: float = math.inf
    hints: dict[str, Call[Any]] | None = None

    async def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().wait(bounded(gen, self.deadline), *args, **kwargs)


def looks_dropped(connection: AnyConnection) -> bool:
    """Tell without a round trip whether an idle connection has been ended from outside.

    On an idle connection nothing may arrive but its end. A server's notice does so too; the price is a
    reconnect.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def check_callers(connection: object, kind: type[AnyConnection]) -> None:
    """Refuse a connection of the caller that no verb could run on. Raises: InvalidInput.

    It must be open, outside a failed transaction and outside pipeline mode.
    """
    if not isinstance(connection, kind):
        given = f"{type(connection).__module__}.{type(connection).__name__}"
        cure = "Pass the psycopg 3 connection; in SQLAlchemy it is connection.connection.driver_connection."
        raise InvalidInput(f"on() takes a psycopg {kind.__name__}, not {given}", cure=cure)
    if connection.closed:
        raise InvalidInput("the connection passed to on() is closed", cure="Pass an open connection.")
    if connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
        raise InvalidInput(
            "the connection passed to on() is in a failed transaction", cure="Roll it back first."
        )
    if connection.pgconn.pipeline_status != psycopg.pq.PipelineStatus.OFF:
        raise InvalidInput(
            "the connection passed to on() is in pipeline mode", cure="Leave the pipeline first."
        )
