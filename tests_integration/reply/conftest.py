from __future__ import annotations

import psycopg
import pytest

from tests_integration.consumer.conftest import client, start
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import KINDS, Kind, create_queue
from tests_integration.reply.desk import Desk

__all__ = ["client", "start"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Say of which kind the queues are: each test runs with both."""
    found: Kind = request.param
    return found


@pytest.fixture
def desk(database: Database, kind: Kind) -> Desk:
    """Make the queues `orders`, `mails` and `alarms` of each kind."""
    db = database.connect()
    for queue in ("orders", "mails", "alarms"):
        create_queue(db, queue, kind)
    return Desk(db, kind)


@pytest.fixture
def row_desk(database: Database) -> Desk:
    """Make the same of kind row alone, where the kind of queue plays no part."""
    db = database.connect()
    for queue in ("orders", "mails", "alarms"):
        create_queue(db, queue, "row")
    return Desk(db, "row")


@pytest.fixture
def db(database: Database) -> psycopg.Connection:
    return database.connect()
