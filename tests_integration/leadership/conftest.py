from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import rows, scalar


class Leader:
    """One process, as far as it leads: its holder and the token that it got last."""

    def __init__(self, db: psycopg.Connection, holder: str) -> None:
        self.db, self.holder = db, holder
        self.token: int | None = None

    def try_lead(self, lease: str = "10 s", name: str | None = "reaper", holder: str | None = "") -> Any:
        """Ask; answer the row."""
        asks_as = self.holder if holder == "" else holder
        (row,) = rows(self.db, "select * from pgqueue.try_lead(%s, %s, %s)", name, asks_as, lease)
        self.token = row.token if row.token is not None else self.token
        return row

    def renew(self, token: int | None = None) -> bool:
        renewed: bool = scalar(
            self.db, "select pgqueue.renew_lead('reaper', %s, %s)", self.holder, token or self.token
        )
        return renewed

    def resign(self) -> bool:
        resigned: bool = scalar(
            self.db, "select pgqueue.resign_lead('reaper', %s, %s)", self.holder, self.token
        )
        return resigned

    def begin(self, chore: str = "sweep", every: str = "60 s") -> str:
        answer: str = scalar(
            self.db,
            "select answer from pgqueue.begin_sweep(%s, %s, %s, %s)",
            chore,
            every,
            self.holder,
            self.token,
        )
        return answer

    def end(self, moved: int, error: str | None = None, *, more: bool = False, chore: str = "sweep") -> None:
        scalar(self.db, "select pgqueue.end_sweep(%s, %s, %s, %s, %s)", chore, self.token, moved, error, more)


def look(db: psycopg.Connection) -> Any:
    (row,) = rows(db, "select * from pgqueue.leaders")
    return row


def sweep(db: psycopg.Connection) -> Any:
    (row,) = rows(db, "select * from pgqueue.sweeps")
    return row


@pytest.fixture
def one(db: psycopg.Connection) -> Leader:
    return Leader(db, "host:1:aa")


@pytest.fixture
def two(database: Database) -> Leader:
    return Leader(database.connect(), "host:2:bb")
