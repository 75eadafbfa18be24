"""One step of a scheduler, against a scripted database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.errors import (
    ConfigurationError,
    DatabaseError,
    InvalidInput,
    PgQueueError,
    QueueBusy,
    Unavailable,
)
from pgqueue.schedule import cron
from pgqueue.schedule.loop import fire_due
from pgqueue.schedule.model import DueSchedule, Fired

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
GOOD = Fired("fired", 1, None, None, None)


def due(name: str, rule: str = "* * * * *", zone: str = "UTC") -> DueSchedule:
    return DueSchedule(name, "orders", rule, zone, "latest", 100, timedelta(0), None, NOON, NOON)


class Database:
    """Answers the calls of a step; `fires` by the name of the schedule."""

    def __init__(self, *found: DueSchedule, **fires: Fired | PgQueueError) -> None:
        self.found = list(found)
        self.fires = fires
        self.seen: list[str] = []

    async def run(self, call: Call[Any]) -> Any:
        self.seen.append(f"{call.name} {call.params[0]}")
        if call.name == "schedule.due":
            return self.found
        if call.name == "schedule.disable":
            return True
        answer = self.fires.get(str(call.params[0]), GOOD)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_one_round_trip_when_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cron, "_library", None)  # nor is the library needed
    database = Database()
    assert await fire_due(database) == 0
    assert database.seen == ["schedule.due 100"]


async def test_slots_that_were_fired_are_counted() -> None:
    database = Database(
        due("a"),
        due("b"),
        due("c"),
        b=Fired("fired", 5, None, None, None),
        c=Fired("lost", 0, None, None, None),
    )
    assert await fire_due(database) == 6


@pytest.mark.parametrize(
    "bad", [due("bad", "99 * * * *"), due("bad", zone="Mars/Olympus"), due("bad", "0 0 30 2 *")]
)
async def test_bad_rule_disables_that_schedule_and_the_others_run(
    bad: DueSchedule, caplog: pytest.LogCaptureFixture
) -> None:
    """B68, B71, U138"""
    database = Database(due("a"), bad, due("b"))
    assert await fire_due(database) == 2
    assert database.seen[1:] == ["schedule.fire a", "schedule.disable bad", "schedule.fire b"]
    (record,) = [record for record in caplog.records if record.name == "pgqueue.schedule"]
    assert record.levelname == "ERROR"


@pytest.mark.parametrize(
    "failure",
    [
        DatabaseError("disk full", sqlstate="53100"),
        QueueBusy("a lock was not granted"),
        InvalidInput("the clock went back between the read and the write"),
    ],
)
async def test_failure_of_one_stops_no_other(failure: PgQueueError, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(due("a"), due("b"), a=failure)
    assert await fire_due(database) == 1
    (record,) = [record for record in caplog.records if record.name == "pgqueue.schedule"]
    assert record.levelname == "ERROR"


async def test_server_that_is_away_ends_the_step() -> None:
    database = Database(due("a"), due("b"), a=Unavailable("down"))
    with pytest.raises(Unavailable):
        await fire_due(database)
    assert database.seen[-1] == "schedule.fire a"


async def test_missing_library_disables_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Any:
        raise ConfigurationError("schedules need cronsim")

    monkeypatch.setattr(cron, "_library", missing)
    database = Database(due("a", "1 2 3 4 5"))
    with pytest.raises(ConfigurationError):
        await fire_due(database)
    assert database.seen == ["schedule.due 100"]


async def test_slots_left_out_and_a_lost_queue_are_said(caplog: pytest.LogCaptureFixture) -> None:
    missed = Fired("fired", 1, NOON - timedelta(hours=1), NOON, None)
    database = Database(
        due("a"), due("b"), a=missed, b=Fired("disabled", 0, None, None, "queue orders does not exist")
    )
    await fire_due(database)
    assert [record.levelname for record in caplog.records if record.name == "pgqueue.schedule"] == [
        "WARNING",
        "ERROR",
    ]
