from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import PLAIN, Background, Queue, make_orders
from tests_integration.fixtures.waiting import wait_until_blocked

StartBlocked = Callable[[Queue, Callable[[Queue], Any]], Background]


@pytest.fixture(params=PLAIN, ids=" ".join)
def orders(request: pytest.FixtureRequest, database: Database, db: psycopg.Connection) -> Queue:
    """Make the queue `orders` of each kind."""
    return make_orders(database, db, request.param)


@pytest.fixture
def other(database: Database, orders: Queue) -> Queue:
    """Give the same queue on a second connection."""
    return orders.on(database.connect())


@pytest.fixture
def four(database: Database, orders: Queue) -> list[Queue]:
    """Give the same queue on four connections of its own."""
    return [orders.on(database.connect()) for _ in range(4)]


@pytest.fixture
def third(database: Database, orders: Queue) -> Queue:
    return orders.on(database.connect())


@pytest.fixture
def start_blocked(database: Database) -> StartBlocked:
    """Start an action on a queue's connection in the background and return when it waits for a lock."""
    observer = database.connect()

    def start(queue: Queue, action: Callable[[Queue], Any]) -> Background:
        running = Background(lambda: action(queue))
        wait_until_blocked(observer, queue.connection.info.backend_pid)
        return running

    return start
