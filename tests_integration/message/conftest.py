from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import PLAIN, Queue, make_orders


@pytest.fixture(params=PLAIN, ids=" ".join)
def orders(request: pytest.FixtureRequest, database: Database, db: psycopg.Connection) -> Queue:
    """Make the queue `orders` of each kind, called through its clones; `every_way` has it called in other ways too."""
    return make_orders(database, db, request.param)
