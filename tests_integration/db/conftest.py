"""Fixtures for what the database room does when connections end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from pgqueue.db.doors import Door, PooledDoor
from pgqueue.db.runner import AsyncRunner, Runner
from pgqueue.settings import read_dsn
from tests_integration.db.fault_proxy import FaultProxy, fault_proxy
from tests_integration.db.faults import AnyRunner, AsyncFace, Events, OpenRunner, SyncFace
from tests_integration.fixtures.database import Database


@pytest.fixture
def proxy(database: Database) -> Iterator[FaultProxy]:
    """A fault proxy in front of the test's database: `proxy.conninfo(database.conninfo)` leads through it."""
    with fault_proxy(database.conninfo) as opened:
        yield opened


@pytest.fixture(params=["sync", "async"])
def open_runner(request: pytest.FixtureRequest) -> Iterator[OpenRunner]:
    with ExitStack() as stack:

        def make(conninfo: str, *, door: type[Door] = PooledDoor, **options: Any) -> AnyRunner:
            target = door(read_dsn(conninfo, "test"), "test")
            runner: AnyRunner = (
                SyncFace(Runner(target, **options))
                if request.param == "sync"
                else AsyncFace(AsyncRunner(target, **options))
            )
            stack.callback(runner.close)
            return runner

        yield make


@pytest.fixture
def db(database: Database) -> psycopg.Connection:
    """A direct connection beside the runner's, with the queue `orders` made."""
    connection = database.connect()
    connection.execute("select pgqueue.create_queue('orders', 'row')")
    return connection


@pytest.fixture
def events() -> Iterator[Events]:
    kept = Events()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.msg, dict):
                kept.seen.append(record.msg)

    logger, handler, level = logging.getLogger("pgqueue.db"), Keep(), logging.getLogger("pgqueue.db").level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield kept
    logger.removeHandler(handler)
    logger.setLevel(level)
