"""Fixtures of the doorbell's tests: a queue of either kind, ears on its channel, and a door for rings that is watched."""

from __future__ import annotations

import psycopg
import pytest

from tests_integration.consumer.conftest import client, start
from tests_integration.db.conftest import events, open_runner, proxy
from tests_integration.doorbell.ears import Ears
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Queue

__all__ = ["client", "events", "open_runner", "proxy", "start"]


@pytest.fixture(params=["row", "log"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def orders(db: psycopg.Connection, kind: str) -> Queue:
    """The queue `orders`, called through its clones."""
    db.execute("select pgqueue.create_queue('orders', %s)", [kind])
    return Queue(db, "orders", "through its clone")


@pytest.fixture
def ears(database: Database, orders: Queue) -> Ears:
    """A session that listens for the rings of `orders`."""
    return Ears(database.connect(), orders.name)
