"""Schedules with the real command: fired by the reaper inside of `pgqueue consume`, handled by its worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from pgqueue import PgQueue, schedule
from pgqueue.message import calls as message_calls
from pgqueue.schedule import calls
from pgqueue.schedule.model import ScheduleInfo
from tests_integration.consumer.conftest import StartWorker, client, kind, start
from tests_integration.fixtures.waiting import eventually

__all__ = ["client", "kind", "start"]

APP = """
@app.task("count", queue="orders")
def count(ctx: Context):
    with ctx.tx() as connection:
        connection.execute("insert into seen values (%s, %s)", (ctx.slot.schedule, ctx.slot.at))
"""


def look(client: PgQueue) -> ScheduleInfo:
    (info,) = client.run(calls.schedules("tick"))
    return info


def test_slot_is_fired_and_its_handler_knows_it(
    client: PgQueue, start: StartWorker, db: psycopg.Connection
) -> None:
    db.execute("create table seen (schedule text, slot timestamptz)")
    sending = message_calls.send("orders", {"task": "count", "args": [], "kwargs": {}})
    schedule.set_schedule(client, "tick", "0 0 1 1 *", sending)
    start(APP)
    eventually(lambda: look(client).state == "active", 15)
    # Let its slot have come: the last new year.
    now = client.run(calls.database_clock())
    slot = now.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    db.execute("update pgqueue.schedule set next_at = %s, due_at = %s", [slot, slot])

    def seen() -> Any:
        return db.execute("select schedule, slot from seen").fetchall()

    assert eventually(seen, 15) == [("tick", slot)]
    info = look(client)
    assert (info.last_slot, info.fired, info.state) == (slot, 1, "active")
    assert info.next_at is not None
    assert info.next_at - slot >= timedelta(days=365)
