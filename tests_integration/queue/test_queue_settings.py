from __future__ import annotations

import psycopg
import pytest

from pgqueue import PgQueue
from pgqueue.errors import QueueNotFound
from pgqueue.queue import calls
from tests_integration.fixtures.database import Database


def test_settings_are_those_in_force_and_an_unknown_queue_has_none(database: Database) -> None:
    with PgQueue(database.conninfo) as client:
        client.create_queue("orders", settings={"vt": 7})
        assert (client.run(calls.settings("orders")).vt, client.run(calls.settings("orders")).batch) == (
            7,
            100,
        )
        client.configure_queue("orders", {"vt": 9})
        assert client.run(calls.settings("orders")).vt == 9
        with pytest.raises(QueueNotFound):
            client.run(calls.settings("invoices"))


def test_settings_are_read_without_counting_messages(db: psycopg.Connection) -> None:
    db.execute("select pgqueue.create_queue('orders')")
    db.execute("begin")
    db.execute("lock table pgqueue.r_orders in access exclusive mode")
    with psycopg.connect(db.info.dsn, password=db.info.password, autocommit=True) as other:
        other.execute("set lock_timeout = '100ms'")
        assert other.execute("select pgqueue.queue_settings('orders') ->> 'vt'").fetchone() == ("30",)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("select * from pgqueue.metrics('orders')")
    db.execute("rollback")
