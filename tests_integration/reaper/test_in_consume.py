"""The reaper inside of `pgqueue consume`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgqueue import PgQueue
from pgqueue.task import payload
from tests_integration.consumer.worker import Worker
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import rows, scalar
from tests_integration.fixtures.waiting import eventually
from tests_integration.leadership.conftest import look

APP = """
@app.task("t", queue="orders")
def t(): mark("ran")
"""
StartWorker = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path, database: Database) -> Iterator[StartWorker]:
    started: list[Worker] = []
    with PgQueue(database.conninfo) as client:
        client.create_queue("orders")

    def begin(*options: str, dsn: str | None = None) -> Worker:
        arguments = ["orders", "--app", "shop:app", "--dsn", dsn or database.conninfo, *options]
        worker = Worker(tmp_path, APP, arguments, {})
        started.append(worker)
        worker.wait_for("consumer.started", timeout=30)
        return worker

    yield begin
    for worker in started:
        worker.kill()


def test_a_consumer_maintains_and_gives_the_lease_back_at_its_end(
    db: psycopg.Connection, start: StartWorker
) -> None:
    worker = start()
    worker.wait_for("leader.elected")
    eventually(lambda: len(rows(db, "select from pgqueue.sweeps where runs > 0 and failures = 0")) == 7, 10)
    assert look(db).holder == worker.events("consumer.started")[0]["holder"]
    worker.terminate()
    assert worker.end() == 0, worker.output
    assert look(db).state == "free"


def test_a_second_consumer_takes_over_from_one_that_ends(db: psycopg.Connection, start: StartWorker) -> None:
    first = start()
    first.wait_for("leader.elected")
    second = start()
    first.terminate()
    assert first.end() == 0, first.output
    second.wait_for("leader.elected")
    assert look(db).holder == second.events("consumer.started")[0]["holder"]


def test_a_consumer_that_is_told_not_to_maintain_does_not(
    db: psycopg.Connection, database: Database, start: StartWorker
) -> None:
    worker = start("--no-maintain")
    with PgQueue(database.conninfo) as client:
        client.send("orders", payload.build("t", [], {}))
    worker.wait_for_mark("ran")
    worker.terminate()
    assert worker.end() == 0, worker.output
    assert rows(db, "select from pgqueue.leader") == []
    assert worker.events("leader.elected") == []


def test_a_consumer_that_may_not_maintain_says_so_once_and_consumes(
    db: psycopg.Connection, database: Database, start: StartWorker
) -> None:
    db.execute("revoke execute on function pgqueue.try_lead from pgqueue_consumer")
    worker = start(dsn=make_conninfo(database.conninfo, options="-c role=pgqueue_consumer"))
    worker.wait_for("leader.refused")
    with PgQueue(database.conninfo) as client:
        client.send("orders", payload.build("t", [], {}))
    worker.wait_for_mark("ran")
    worker.terminate()
    assert worker.end() == 0, worker.output
    (said,) = worker.events("leader.refused")
    assert said["level"] == "error"
    assert "pgqueue_consumer" in said["error"]
    assert scalar(db, "select count(*) from pgqueue.leader") == 0
