from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.verbs import Queue, create_queue


@pytest.fixture
def orders(db: psycopg.Connection) -> Queue:
    """Make the queue `orders` with one message that nothing may change."""
    create_queue(db, "orders")
    queue = Queue(db, "orders", "through its clone")
    queue.send({"untouched": True})
    return queue
