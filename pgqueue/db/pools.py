"""Connections kept open between calls.

Not psycopg_pool: the rule of one repeat needs to know whether a connection was made in this call, and a new
one for the repeat. A pool that refills itself in the background gives neither, and after a pooler's restart
it would hand out one dead connection after the other.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Generic, NamedTuple, TypeVar

from psycopg.pq import TransactionStatus

from pgqueue.db.connect import open_async_connection, open_connection
from pgqueue.db.doors import Door
from pgqueue.db.liveness import (
    AnyConnection,
    AsyncBoundedConnection,
    BoundedConnection,
    DeadlinePassed,
    looks_dropped,
    remaining,
)
from pgqueue.errors import ClientMisuse, Unavailable
from pgqueue.log import get_logger

C = TypeVar("C", bound=AnyConnection)
_log = get_logger("pgqueue.db")
IDLE = TransactionStatus.IDLE


class Slot(NamedTuple, Generic[C]):
    """A connection in use. `reused`: it had already been opened before this call."""

    connection: C
    reused: bool


class _Idle(Generic[C]):
    """Idle connections, the last used first, and the guards that both pools share. Every step is atomic."""

    def __init__(self, door: Door, size: int) -> None:
        self.door = door
        self.size = size
        self.closed = False
        self._connections: list[C] = []
        self._pid: int | None = None

    def check(self) -> None:
        """Refuse a closed pool, and one that came over a fork: two processes would talk on one socket."""
        if self.closed:
            raise ClientMisuse("the client is closed")
        if self._pid is None:
            self._pid = os.getpid()
        elif self._pid != os.getpid():
            raise ClientMisuse(
                f"the client was opened in process {self._pid} and is used in its fork {os.getpid()}",
                cure="Create a new client after the fork.",
            )

    def take(self) -> tuple[C | None, list[C]]:
        """Take an idle connection that seems alive, and those found dropped on the way."""
        dropped: list[C] = []
        while self._connections:
            connection = self._connections.pop()
            if not looks_dropped(connection):
                return connection, dropped
            _log.info("connection.dropped", role=self.door.role, reason="ended while idle")
            dropped.append(connection)
        return None, dropped

    def keep(self, connection: C) -> bool:
        """Keep a connection for the next call; False when it has to be closed."""
        if self.closed or connection.closed or connection.pgconn.transaction_status != IDLE:
            return False
        self._connections.append(connection)
        return True

    def empty(self) -> list[C]:
        """Take all that are to be closed; in a fork none, since that would end the parent's sessions."""
        if self._pid not in (None, os.getpid()):
            return []
        taken, self._connections = self._connections, []
        return taken

    def busy(self) -> Unavailable:
        return Unavailable(
            f"all {self.size} connections of this client are in use",
            cure="Raise max_connections, or use fewer threads or tasks.",
        )


class Pool:
    """At most `size` connections in use at a time; the next caller waits. Safe to share between threads."""

    def __init__(self, door: Door, size: int) -> None:
        self.door = door
        self._idle: _Idle[BoundedConnection] = _Idle(door, size)
        self._free = threading.BoundedSemaphore(size)

    def acquire(self, deadline: float, *, fresh: bool = False) -> Slot[BoundedConnection]:
        """Take a connection, an idle one unless `fresh`. Raises: Unavailable, ClientMisuse."""
        self._idle.check()
        try:
            taken = self._free.acquire(timeout=remaining(deadline))
        except DeadlinePassed:
            taken = False
        if not taken:
            raise self._idle.busy()
        try:
            return self._open(deadline, fresh=fresh)
        except BaseException:
            self._free.release()
            raise

    def give_back(self, connection: BoundedConnection, *, usable: bool) -> None:
        try:
            if not (usable and self._idle.keep(connection)):
                connection.close()
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the idle connections now, those in use when they are given back."""
        self._idle.closed = True
        for connection in self._idle.empty():
            connection.close()

    def _open(self, deadline: float, *, fresh: bool) -> Slot[BoundedConnection]:
        connection, dropped = self._idle.take()
        if fresh and connection is not None:
            dropped.append(connection)
            connection = None
        for dead in dropped:
            dead.close()
        reused = connection is not None
        connection = connection or open_connection(self.door, deadline)
        connection.deadline = deadline
        return Slot(connection, reused)


class AsyncPool:
    """The same for the tasks of one event loop."""

    def __init__(self, door: Door, size: int) -> None:
        self.door = door
        self._idle: _Idle[AsyncBoundedConnection] = _Idle(door, size)
        self._free = asyncio.BoundedSemaphore(size)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def acquire(self, deadline: float, *, fresh: bool = False) -> Slot[AsyncBoundedConnection]:
        """Take a connection, an idle one unless `fresh`. Raises: Unavailable, ClientMisuse."""
        self._idle.check()
        self._check_loop()
        try:
            if self._free.locked():
                async with asyncio.timeout(remaining(deadline)):
                    await self._free.acquire()
            else:  # at once: a time-out for it would cost more than the rest of this function
                await self._free.acquire()
        except (DeadlinePassed, TimeoutError):
            raise self._idle.busy() from None
        try:
            return await self._open(deadline, fresh=fresh)
        except BaseException:
            self._free.release()
            raise

    async def give_back(self, connection: AsyncBoundedConnection, *, usable: bool) -> None:
        try:
            if not (usable and self._idle.keep(connection)):
                await connection.close()
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close the idle connections now, those in use when they are given back."""
        self._idle.closed = True
        for connection in self._idle.empty():
            await connection.close()

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ClientMisuse(
                "the client was opened in another event loop", cure="Create one client for each loop."
            )

    async def _open(self, deadline: float, *, fresh: bool) -> Slot[AsyncBoundedConnection]:
        connection, dropped = self._idle.take()
        if fresh and connection is not None:
            dropped.append(connection)
            connection = None
        for dead in dropped:
            await dead.close()
        reused = connection is not None
        connection = connection or await open_async_connection(self.door, deadline)
        connection.deadline = deadline
        return Slot(connection, reused)
