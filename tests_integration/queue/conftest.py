from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.verbs import KINDS, Kind, Queue, create_queue


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Run the test once for each kind of queue."""
    made: Kind = request.param
    return made


@pytest.fixture
def orders(db: psycopg.Connection, kind: Kind) -> Queue:
    """Make the queue `orders` of each kind, called by name."""
    create_queue(db, "orders", kind)
    return Queue(db, kind=kind)
