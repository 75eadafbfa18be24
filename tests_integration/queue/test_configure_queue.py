from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    WAYS,
    Kind,
    Queue,
    Way,
    configure_queue,
    create_queue,
    refused,
    rows,
    scalar,
)
from tests_integration.queue.settings import BAD_SETTINGS


def test_effective_settings_are_answered_and_stored(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind, vt=40)
    effective = configure_queue(db, "orders", max_reads=9)
    assert (effective["vt"], effective["max_reads"], effective["batch"]) == (40, 9, 100)
    assert Queue(db).metrics().settings == effective


def test_null_sets_back_to_the_default(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind, vt=40, max_reads=9)
    effective = configure_queue(db, "orders", vt=None)
    assert (effective["vt"], effective["max_reads"]) == (30, 9)


@pytest.mark.parametrize("way", WAYS)
def test_running_sessions_follow_at_once(
    database: Database, db: psycopg.Connection, clock: Clock, way: Way, kind: Kind
) -> None:
    create_queue(db, "orders", kind)
    worker = Queue(database.connect(), "orders", way)
    worker.send_many(20)
    for _ in range(8):
        assert worker.read_one().vt == START + timedelta(seconds=30)
    configure_queue(db, "orders", vt=7, payload_limit=20, key_window=60, max_reads=1, repark_budget=0)
    assert worker.read_one().vt == START + timedelta(seconds=7)
    refused("PQ003", lambda: worker.send({"text": "x" * 20}))
    first = worker.send(key="k")
    clock.advance(60)
    assert worker.send(key="k") != first
    worker.read(qty=100)
    assert len(worker.dead()) == 9


@pytest.mark.parametrize("settings", [case for case in BAD_SETTINGS if None not in case.values()], ids=str)
def test_bad_settings_change_nothing(db: psycopg.Connection, settings: dict[str, object]) -> None:
    create_queue(db, "orders", vt=40)
    before = Queue(db).metrics().settings
    clones = "select proname, prosrc, proacl::text from pg_proc where proname ~ '__orders$' order by 1"
    bodies = rows(db, clones)
    refused("PQ002", lambda: configure_queue(db, "orders", **{"batch": 50} | settings))
    assert Queue(db).metrics().settings == before
    assert rows(db, clones) == bodies


@pytest.mark.parametrize("settings", ["[]", "5", "null", None])
def test_settings_that_are_no_object_are_refused(db: psycopg.Connection, settings: str | None) -> None:
    create_queue(db, "orders")
    refused("PQ002", lambda: db.execute("select pgqueue.configure_queue('orders', %s)", [settings]))


def test_rolled_back_change_leaves_old_settings_and_functions(
    db: psycopg.Connection, clock: Clock, kind: Kind
) -> None:
    create_queue(db, "orders", kind)
    Queue(db).send()
    db.execute("begin")
    configure_queue(db, "orders", vt=7)
    db.execute("rollback")
    assert Queue(db, "orders", "through its clone").read_one().vt == START + timedelta(seconds=30)


def test_unknown_queue_is_refused(db: psycopg.Connection) -> None:
    refused("PQ001", lambda: scalar(db, "select pgqueue.configure_queue('nothing', %s)", Jsonb({})))
