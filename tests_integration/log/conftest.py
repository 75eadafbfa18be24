"""These tests run on a server of their own: see `fixtures/quiet.py`."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.quiet import quiet_database
from tests_integration.fixtures.verbs import Queue, create_queue
from tests_integration.log.storage import SIDE, set_ids


@pytest.fixture
def database(quiet: str) -> Iterator[Database]:
    with quiet_database(quiet) as made:
        yield made


@pytest.fixture
def orders(db: psycopg.Connection) -> Queue:
    """Make the queue `orders` of kind log, called through its clones."""
    create_queue(db, "orders", "log")
    return Queue(db, "orders", "through its clone", "log")


@pytest.fixture
def other(database: Database, orders: Queue) -> Queue:
    """Give the same queue on a second connection."""
    return orders.on(database.connect())


@pytest.fixture
def border(orders: Queue) -> Queue:
    """Let the next five ids be the last of the first side."""
    set_ids(orders, SIDE - 6)
    return orders
