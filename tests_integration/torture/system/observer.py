"""Looks at the database twice a second, past pooler and wires: its clock, depths, sessions, locks."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import psycopg

from tests_integration.torture.system.ground import Ground
from tests_integration.torture.system.recorder import History, micros

PERIOD_SECONDS = 0.5
SERVER = """
select pgqueue.clock(),
       (select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()),
       (select deadlocks from pg_stat_database where datname = current_database()),
       (select count(*) from pg_locks where not granted),
       (select coalesce(extract(epoch from max(clock_timestamp() - xact_start)), 0)::float from pg_stat_activity
        where backend_type = 'client backend')
"""
QUEUES = "select queue, depth, ready, in_flight, delayed, dead from pgqueue.queues"


class Observer:
    """A thread with a connection and a history of its own."""

    def __init__(self, folder: Path, ground: Ground) -> None:
        self._ground = ground
        self._history = History(folder, "observer", "observer")
        self._over = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = threading.Thread(target=self._look_on, name="observer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        if self._connection is not None:
            self._connection.close()
        self._history.close()

    def _look_on(self) -> None:
        while not self._over.wait(PERIOD_SECONDS):
            self._look()

    def _look(self) -> None:
        number = self._history.invoke("sample")
        try:
            if self._connection is None:
                self._connection = self._ground.connect()
            server = self._connection.execute(SERVER).fetchone()
            queues = self._connection.execute(QUEUES).fetchall()
        except psycopg.Error as error:
            self._history.fail(number, "sample", error)
            with contextlib.suppress(psycopg.Error):
                if self._connection is not None:
                    self._connection.close()
            self._connection = None
            return
        assert server is not None
        now, sessions, deadlocks, waiting, oldest = server
        names = ("depth", "ready", "in_flight", "delayed", "dead")
        told = {queue: dict(zip(names, counts, strict=True)) for queue, *counts in queues}
        self._history.ok(
            number,
            "sample",
            db_now=micros(now),
            sessions=sessions,
            deadlocks=deadlocks,
            lock_waits=waiting,
            oldest_transaction=round(oldest, 3),
            queues=told,
        )
