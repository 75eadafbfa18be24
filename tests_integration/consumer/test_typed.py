"""Typed arguments from the producer's model to the handler's, through the database."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
from pydantic import BaseModel

from pgqueue import App, PgQueue
from pgqueue.task import payload
from tests_integration.consumer.conftest import StartWorker
from tests_integration.fixtures.waiting import eventually

Rows = Callable[[], list[tuple[Any, ...]]]

SHOP = """
import datetime as dt, uuid
from pydantic import BaseModel
class Order(BaseModel):
    id: uuid.UUID
    placed_at: dt.datetime

@app.task("t", queue="orders", backoff=Backoff(900, 1, 900, 0))
def t(order: Order, due: dt.date, ctx: Context):
    assert order.placed_at.tzinfo is not None
    with ctx.tx() as connection:
        connection.execute("insert into public.effects values (%s, %s, %s)", (order.id, order.placed_at, due))
"""


class Order(BaseModel):
    id: uuid.UUID
    placed_at: dt.datetime


def test_a_model_arrives_as_a_model_and_what_is_none_is_a_dead_letter_at_once(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, waiting: Rows, dead: Rows
) -> None:
    db.execute("create table public.effects (id uuid, at timestamptz, due date)")
    app = App()

    @app.task("t", queue="orders")
    def t(order: Order, due: dt.date) -> None: ...

    order = Order(id=uuid.uuid4(), placed_at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    t.send(client, order, due=dt.date(2030, 2, 1))
    bad = client.send("orders", payload.build("t", [{"id": "hunter2"}], {"due": "hunter2"}))
    worker = start(SHOP)
    eventually(lambda: not waiting())
    assert db.execute("select * from public.effects").fetchall() == [
        (order.id, order.placed_at, dt.date(2030, 2, 1))
    ]
    ((msg_id, reason, error),) = dead()
    assert (msg_id, reason) == (bad, "malformed")
    assert error.startswith(
        "order.id: uuid_parsing; order.placed_at: missing; due: date_from_datetime_parsing"
    )
    assert "hunter2" not in worker.output + error
