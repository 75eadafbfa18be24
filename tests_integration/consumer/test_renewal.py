"""Renewal over connections that fail without a word."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from pgqueue import PgQueue
from pgqueue.consumer.lease import Renewal
from pgqueue.consumer.model import Held
from pgqueue.consumer.settings import make_plan
from pgqueue.queue.model import QueueSettings
from tests_integration.db.fault_proxy import FaultProxy, fault_proxy
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.waiting import eventually

PLAN = make_plan("orders", QueueSettings(vt=1.5), {})


@pytest.fixture
def proxy(database: Database) -> Iterator[FaultProxy]:
    with fault_proxy(database.conninfo) as opened:
        yield opened


@pytest.fixture
def renewal(database: Database, proxy: FaultProxy) -> Iterator[Renewal]:
    through = proxy.conninfo(database.conninfo)
    started = Renewal(lambda timeout: PgQueue(through, max_connections=1, call_timeout=timeout))
    started.start()
    yield started
    started.stop()


def test_a_connection_that_swallows_a_renewal_doesnt_cost_the_lease(
    client: PgQueue, db: psycopg.Connection, proxy: FaultProxy, renewal: Renewal
) -> None:
    """U52: what TCP doesn't report in time, the renewal's own deadline does."""
    client.send("orders", 1)
    asked_at = time.monotonic()
    (message,) = client.read("orders", vt=PLAN.vt)
    held = Held(PLAN, message, asked_at, asked_at + PLAN.vt, started_at=asked_at)
    renewal.add(held)
    eventually(lambda: held.renewed_at is not None)

    proxy.black_hole()
    eventually(lambda: proxy.swallowed > 0)
    proxy.heal()  # for new links: what was swallowed is gone, and the old link waits for an answer to it

    known_until = held.lease_until
    eventually(lambda: held.lease_until > known_until, timeout=10)
    assert held.lease_until - PLAN.vt < known_until, "renewed before it lapsed"
    assert not held.lost
    assert db.execute("select read_ct from pgqueue.messages where queue = 'orders'").fetchall() == [(1,)]
