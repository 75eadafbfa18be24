from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pgqueue import AsyncPgQueue
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import create_queue, rows, scalar

RULE = "*/5 * * * *"
FIRE = "select outcome from pgqueue.fire_schedule(%s, %s, 'UTC', %s, %s::timestamptz[], %s, %s)"


class Schedules:
    """The verbs on schedules, as SQL, on one connection."""

    def __init__(self, db: psycopg.Connection) -> None:
        self.db = db

    def set(
        self, name: str | None = "tick", cron: str | None = RULE, queue: str = "orders", **more: Any
    ) -> Any:
        """Make a schedule: of `{"n": 1}` to `orders`, every five minutes."""
        given = {"name": name, "cron": cron, "queue": queue, "message": {"n": 1}} | more
        values = {k: Jsonb(v) if isinstance(v, (dict, list)) else v for k, v in given.items()}
        types = {"message": "::jsonb", "headers": "::jsonb", "jitter": "::interval"}
        arguments = ", ".join(f"{k} => %({k})s{types.get(k, '')}" for k in values)
        return self.db.execute(f"select pgqueue.set_schedule({arguments})".encode(), values).fetchone()[0]  # type: ignore[index]

    def due(self) -> list[Any]:
        return rows(self.db, "select * from pgqueue.due_schedules()")

    def look(self, name: str = "tick") -> Any:
        found = rows(self.db, "select * from pgqueue.schedules where name = %s", name)
        return found[0] if found else None

    def plan(self, next_at: datetime, name: str = "tick", cron: str = RULE) -> Any:
        return scalar(self.db, FIRE, name, cron, None, [], next_at, next_at)

    def fire(
        self, slot: datetime, next_at: datetime, slots: list[datetime] | None = None, name: str = "tick"
    ) -> Any:
        return scalar(self.db, FIRE, name, RULE, slot, [slot] if slots is None else slots, next_at, next_at)

    def sent(self, queue: str = "orders") -> list[datetime | None]:
        """The slots that messages name, in the order of their ids."""
        headers = [
            row.headers for row in rows(self.db, f"select headers from pgqueue.q_{queue} order by msg_id")
        ]
        texts = [one["pgqueue-schedule"].get("slot") for one in headers]
        return [None if text is None else datetime.fromisoformat(text).astimezone(UTC) for text in texts]


@pytest.fixture(params=["row", "log"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def schedules(db: psycopg.Connection) -> Schedules:
    """Make the queue `orders` of kind row."""
    create_queue(db, "orders", "row")
    return Schedules(db)


@pytest.fixture
def other(database: Database) -> Schedules:
    return Schedules(database.connect())


@pytest.fixture
async def scheduler(database: Database) -> AsyncIterator[AsyncPgQueue]:
    async with AsyncPgQueue(database.conninfo) as client:
        yield client


@pytest.fixture
def schedulers(database: Database) -> Callable[[int], list[AsyncPgQueue]]:
    return lambda count: [AsyncPgQueue(database.conninfo) for _ in range(count)]
