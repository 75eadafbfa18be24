"""Fixtures of the consumer's tests: a queue, and real processes that consume it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pgqueue import PgQueue
from tests_integration.consumer.worker import Worker
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Kind

StartWorker = Callable[..., Worker]


@pytest.fixture
def kind() -> Kind:
    """Say of which kind the queue is; a module that tests both has a fixture of its own."""
    return "log"


@pytest.fixture
def client(database: Database, kind: Kind) -> Iterator[PgQueue]:
    with PgQueue(database.conninfo) as opened:
        opened.create_queue("orders", kind, settings={"vt": 30, "health_stale": 60})
        yield opened


@pytest.fixture
def start(tmp_path: Path, database: Database, client: PgQueue) -> Iterator[StartWorker]:
    """Start `pgqueue consume orders --app shop:app` with the source of an app; whatever still runs is killed."""
    started: list[Worker] = []

    def begin(
        app: str, *options: str, dsn: str | None = None, ready: bool = True, **environment: str
    ) -> Worker:
        which = () if "--app" in options else ("--app", "shop:app")
        arguments = ["orders", *which, "--dsn", dsn or database.conninfo, *options]
        worker = Worker(tmp_path, app, arguments, environment)
        started.append(worker)
        if ready:
            worker.wait_for("consumer.started")
        return worker

    yield begin
    for worker in started:
        worker.kill()


@pytest.fixture
def waiting(db: psycopg.Connection) -> Callable[[], list[tuple[object, ...]]]:
    """Read (msg_id, state, read_ct, release_ct, error) of what is in the queue."""

    def rows() -> list[tuple[object, ...]]:
        return db.execute(
            "select msg_id, state, read_ct, release_ct, error from pgqueue.messages where queue = 'orders' order by 1"
        ).fetchall()

    return rows


@pytest.fixture
def dead(db: psycopg.Connection) -> Callable[[], list[tuple[object, ...]]]:
    """Read (msg_id, reason, error) of the dead letters."""

    def rows() -> list[tuple[object, ...]]:
        return db.execute(
            "select msg_id, reason, error from pgqueue.dead_letters where queue = 'orders' order by 1"
        ).fetchall()

    return rows
