from __future__ import annotations

import pytest

from tests_integration.barrier.fan import Fan
from tests_integration.consumer.conftest import client, kind, start
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import KINDS, create_queue

__all__ = ["client", "kind", "start"]


@pytest.fixture(params=KINDS)
def fan(request: pytest.FixtureRequest, database: Database) -> Fan:
    """Make the queue `parts` of each kind, and `total` for callbacks."""
    db = database.connect()
    create_queue(db, "parts", request.param)
    create_queue(db, "total", request.param)
    return Fan(db, request.param)


@pytest.fixture
def row_fan(database: Database) -> Fan:
    """Make the same of kind row alone, where the kind of queue plays no part."""
    db = database.connect()
    create_queue(db, "parts", "row")
    create_queue(db, "total", "row")
    return Fan(db, "row")
