from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import PLAIN, Queue, make_orders


@pytest.fixture(params=PLAIN, ids=" ".join)
def orders(request: pytest.FixtureRequest, database: Database, db: psycopg.Connection) -> Queue:
    """Make the queue `orders` of each kind with one message that nothing may change."""
    queue = make_orders(database, db, request.param)
    queue.send({"untouched": True})
    return queue
