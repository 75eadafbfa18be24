"""Fixtures of the fault tests, and the table of what they enumerated."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgqueue import PgQueue
from tests_integration.consumer.worker import Worker
from tests_integration.db.fault_proxy import FaultProxy, fault_proxy
from tests_integration.db.faults import Events
from tests_integration.faults.troubles import Place, watch
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.cluster import install_schema, running_cluster, tcp_conninfo
from tests_integration.fixtures.database import Database

Tell = Callable[[str, str, int], None]
StartWorker = Callable[..., Worker]
FindPlace = Callable[[str], Place]

APP = """
@app.task("t", queue="orders")
def t(n):
    mark(f"start_{n}")
    wait_for(f"go_{n}")
    mark(f"end_{n}")
"""
OPTIONS = {"processes": 1, "vt": 30, "health_stale": 60, "call_timeout": 1, "grace": 2}


@pytest.fixture
def proxy(database: Database) -> Iterator[FaultProxy]:
    """A fault proxy in front of the test's database: `proxy.conninfo(database.conninfo)` leads through it."""
    with fault_proxy(database.conninfo) as opened:
        yield opened


@pytest.fixture
def events() -> Iterator[Events]:
    """What the database room logs in this process."""
    kept = Events()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.msg, dict):
                kept.seen.append(record.msg)

    logger, handler = logging.getLogger("pgqueue.db"), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield kept
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def tell(record_property: Callable[[str, Any], None]) -> Tell:
    """Say how many of what were tried: `tell("wire cuts", "send with key", 26)`; shown at the end of the run."""

    def note(table: str, row: str, count: int) -> None:
        assert count > 0, f"{table}, {row}: nothing was tried"
        record_property("counted", (table, row, count))
        print(f"{table}: {row}: {count}")  # noqa: T201 - for whoever runs one test with -s

    return note


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """A role with the rights of a consumer and no others."""
    name = f"app_{database.name}"
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        admin.execute(f"create role {name} login password 'app'".encode())
        admin.execute(f"grant pgqueue_consumer to {name}".encode())
        yield name
        admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s", [name]
        )
        admin.execute(f"drop role {name}".encode())


@pytest.fixture
def place(
    database: Database, role: str, server: str, start_bouncer: Callable[..., Bouncer]
) -> Iterator[FindPlace]:
    """Build the way to a database with the queue `orders`: "proxy", "pooler" or "own server"."""
    with ExitStack() as stack:

        def build(through: str) -> Place:
            cluster = bouncer = None
            conninfo, user = database.conninfo, role
            front = make_conninfo(conninfo, user=user, password="app")
            if through == "own server":
                cluster = stack.enter_context(running_cluster({"fsync": "off"}))
                conninfo = front = tcp_conninfo(cluster)
                user = "pgqueue"
                install_schema(conninfo)
            elif through == "pooler":
                bouncer = start_bouncer(server)
                front, user = bouncer.conninfo(database.name), "pgqueue"
            proxy = stack.enter_context(fault_proxy(front))
            watch(proxy)
            with PgQueue(conninfo) as client:
                client.create_queue("orders")
            dsn = make_conninfo(proxy.conninfo(front), connect_timeout=2)
            return Place(conninfo, dsn, proxy, user, bouncer, cluster)

        yield build


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartWorker]:
    """Start `pgqueue consume orders` on a DSN: `start(dsn, vt=1)`; whatever still runs at the end is killed."""
    started: list[Worker] = []

    def begin(dsn: str, **options: object) -> Worker:
        given = []
        for name, value in (OPTIONS | options).items():
            given += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        worker = Worker(tmp_path, APP, ["orders", "--app", "shop:app", "--dsn", dsn, *given], {})
        started.append(worker)
        return worker

    yield begin
    for worker in started:
        worker.kill()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "counted" and report.when == "call":
                table, row, count = value
                counted[table, row] += count
    if not counted:
        return
    terminalreporter.section("positions of the fault tests")
    for (table, row), count in sorted(counted.items()):
        terminalreporter.write_line(f"{table:14} {row:44} {count:6}")
    for table in sorted({table for table, _ in counted}):
        total = sum(count for (other, _), count in counted.items() if other == table)
        terminalreporter.write_line(f"{table:14} {'in all':44} {total:6}")
