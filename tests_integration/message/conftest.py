from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.verbs import Queue, Way, create_queue


@pytest.fixture
def orders(request: pytest.FixtureRequest, db: psycopg.Connection) -> Queue:
    """Make the queue `orders`, called through its clones; `both_ways` runs a test by queue name as well."""
    way: Way = getattr(request, "param", "through its clone")
    create_queue(db, "orders")
    return Queue(db, "orders", way)
