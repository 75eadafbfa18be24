from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Queue, Way, create_queue


@pytest.fixture
def orders(request: pytest.FixtureRequest, database: Database, db: psycopg.Connection) -> Queue:
    """Make the queue `orders`, called through its clones; `every_way` runs a test by name and through PgBouncer too."""
    way: Way = getattr(request, "param", "through its clone")
    create_queue(db, "orders")
    return Queue(database.connect_pooled() if way == "through PgBouncer" else db, "orders", way)
