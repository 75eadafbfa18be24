from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import rows, scalar


class Claims:
    """The verbs on one claim, `("work", "7")`, on one connection."""

    def __init__(self, db: psycopg.Connection) -> None:
        self.db = db

    def take(
        self, lease: str = "60 s", key: str | None = "7", name: str | None = "work", holder: str | None = None
    ) -> Any:
        return scalar(self.db, "select pgqueue.try_claim(%s, %s, %s, %s)", name, key, lease, holder)

    def renew(self, token: int, lease: str = "60 s", key: str = "7") -> Any:
        return scalar(self.db, "select pgqueue.renew_claim('work', %s, %s, %s)", key, token, lease)

    def finish(self, token: int, retention: str = "1 day", key: str = "7") -> Any:
        return scalar(self.db, "select pgqueue.finish_claim('work', %s, %s, %s)", key, token, retention)

    def release(self, token: int, key: str = "7") -> Any:
        return scalar(self.db, "select pgqueue.release_claim('work', %s, %s)", key, token)

    def forget(self, qty: int = 1000) -> Any:
        return scalar(self.db, "select pgqueue.forget_claims(%s)", qty)

    def look(self, key: str = "7") -> Any:
        found = rows(self.db, "select * from pgqueue.claims where name = 'work' and key = %s", key)
        return found[0] if found else None


@pytest.fixture
def claims(db: psycopg.Connection) -> Claims:
    return Claims(db)


@pytest.fixture
def other(database: Database) -> Claims:
    return Claims(database.connect())
