"""One connection of a process that listens for the rings of all its queues. Whoever hears none polls."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import psycopg

from pgqueue.call import Call, nothing
from pgqueue.db.attempt import seen
from pgqueue.db.connect import open_async_connection
from pgqueue.db.doors import DirectDoor
from pgqueue.db.liveness import AsyncBoundedConnection, DeadlinePassed
from pgqueue.errors import ConfigurationError, PgQueueError
from pgqueue.log import get_logger

log = get_logger("pgqueue.db")

CHANNEL = "pgqueue"  # for proofs; a queue's own is `pgqueue_<queue>`
PREFIX = "pgqueue_"
CONNECT_SECONDS = 10.0
PROOF_SECONDS = 2.0
CHECK_SECONDS = 30.0
FIRST_PAUSE, LONGEST_PAUSE, UNHEARD_PAUSE = 0.5, 5.0, 60.0

Notify = Callable[[Call[None]], Awaitable[None]]
Rung = Callable[[str], None]


class Unheard(Exception):
    """What was sent through the other door did not arrive here."""


class Listener:
    """Listens while `listen` runs, and comes back when its connection is lost.

    `notify` runs a call on the door that messages are sent through: what comes back proves that both doors lead
    to the same database, and that no pooler between them swallows notifications.
    """

    def __init__(
        self,
        door: DirectDoor,
        notify: Notify,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._door, self._notify, self._pause, self._chance = door, notify, pause, chance
        self._hears = False
        self._told = False

    def hears(self) -> bool:
        """Tell whether a ring would be heard now."""
        return self._hears

    async def listen(self, queues: Sequence[str], rung: Rung) -> None:
        """Call `rung(queue)` at each ring, and for every queue when listening begins, until cancelled.

        Returns only where it never will hear: behind a pooler. What goes wrong is logged once, never raised.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                await self._session(queues, rung)
            except (ConfigurationError, Unheard) as error:
                if self._is_news():
                    log.warning("listener.refused", target=self._door.dsn.display, error=str(error))
                if isinstance(error, ConfigurationError):
                    return
                pause = UNHEARD_PAUSE
            except (psycopg.Error, PgQueueError, DeadlinePassed) as error:
                pause = FIRST_PAUSE if self._hears else min(2 * pause, LONGEST_PAUSE)
                if self._is_news():
                    log.warning("listener.lost", target=self._door.dsn.display, error=_said(error))
            finally:
                self._hears = False
            await self._pause(pause * (1 - 0.5 * self._chance()))

    async def _session(self, queues: Sequence[str], rung: Rung) -> None:
        """Listen on one connection until it fails."""
        connection = await open_async_connection(self._door, _in(CONNECT_SECONDS), attempts=1)
        try:
            connection.deadline = _in(CONNECT_SECONDS)
            channels = [CHANNEL, *(PREFIX + queue for queue in queues)]
            await connection.execute("; ".join(f'listen "{channel}"' for channel in channels).encode())
            await self._prove(connection)
            self._hears, self._told = True, False
            log.info("listener.connected", queues=list(queues))
            for queue in queues:  # a ring may have come while nobody listened
                rung(queue)
            while True:
                connection.deadline = _in(CHECK_SECONDS + PROOF_SECONDS)
                async for notification in connection.notifies(timeout=CHECK_SECONDS):
                    if notification.channel != CHANNEL:
                        rung(notification.channel.removeprefix(PREFIX))
                connection.deadline = _in(PROOF_SECONDS)
                await connection.execute(b"select 1")  # else a dead peer would never be noticed
        finally:
            await connection.close()

    async def _prove(self, connection: AsyncBoundedConnection) -> None:
        """Raises: Unheard when a notification from the other door doesn't arrive."""
        token = secrets.token_hex(8)
        await self._notify(proof(token))
        connection.deadline = _in(PROOF_SECONDS + 1)
        async with aclosing(connection.notifies(timeout=PROOF_SECONDS)) as notifications:
            async for notification in notifications:
                if notification.payload == token:
                    return
        raise Unheard(f"{self._door.dsn.display} hears nothing of what is sent through the door for work")

    def _is_news(self) -> bool:
        """Tell the first failure after a success from those that only repeat it."""
        was_told, self._told = self._told, True
        return not was_told


def proof(token: str) -> Call[None]:
    """Build the notification by which a listener proves that it hears the door for work."""
    return Call("doorbell.prove", "select pg_notify(%s, %s)", (CHANNEL, token), nothing)


def _said(error: BaseException) -> str:
    return seen(error) if isinstance(error, psycopg.Error) else str(error) or "no answer in time"


def _in(seconds: float) -> float:
    return time.monotonic() + seconds
