"""`on(connection)`: the caller's transaction stays the caller's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import set_json_dumps, set_json_loads

from pgqueue import AsyncPgQueue, PgQueue
from pgqueue.errors import InvalidInput, QueueNotFound, Unavailable
from tests_integration.db.faults import kill, while_blocked
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door

NOWHERE = "postgresql://127.0.0.1:1/nowhere"


@pytest.fixture
def client() -> PgQueue:
    """Its own door leads nowhere: whatever succeeds ran on the caller's connection."""
    return PgQueue(NOWHERE)


@pytest.fixture
def db(database: Database) -> psycopg.Connection:
    connection = database.connect()
    connection.execute("select pgqueue.create_queue('orders', 'row')")
    connection.execute("create table app (n int)")
    return connection


def count(db: psycopg.Connection) -> tuple[int, int]:
    row = db.execute("select (select count(*) from pgqueue.q_orders), (select count(*) from app)").fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_message_exists_if_and_only_if_the_transaction_commits(
    end: str, door: Door, db: psycopg.Connection, client: PgQueue
) -> None:
    """B44"""
    caller = door.connect(autocommit=False, prepare_threshold=None)
    caller.execute("insert into app values (1)")
    client.on(caller).send("orders", {"n": 1})
    assert caller.info.transaction_status == TransactionStatus.INTRANS
    assert count(db) == (0, 0)
    getattr(caller, end)()
    assert count(db) == ((1, 1) if end == "commit" else (0, 0))


def test_in_autocommit_the_send_is_a_transaction_of_its_own(
    door: Door, db: psycopg.Connection, client: PgQueue
) -> None:
    """B44"""
    caller = door.connect(prepare_threshold=None)
    client.on(caller).send("orders", 1)
    assert count(db) == (1, 0)
    assert caller.info.transaction_status == TransactionStatus.IDLE


async def test_an_async_connection_takes_part_in_the_same_way(door: Door, db: psycopg.Connection) -> None:
    caller = await psycopg.AsyncConnection.connect(door.conninfo, prepare_threshold=None)
    async with caller:
        await caller.execute("insert into app values (1)")
        await AsyncPgQueue(NOWHERE).on(caller).send("orders", {"n": 1})
        assert count(db) == (0, 0)
    assert count(db) == (1, 1)


def break_transaction(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute("select 1/0")


def enter_pipeline(connection: psycopg.Connection) -> Any:
    pipeline = connection.pipeline()
    pipeline.__enter__()
    return pipeline


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda connection: connection.close(), "closed"),
        (break_transaction, "failed transaction"),
        (enter_pipeline, "pipeline"),
    ],
    ids=["closed", "failed", "pipeline"],
)
def test_an_unusable_connection_is_refused(
    spoil: Callable[[psycopg.Connection], Any], says: str, database: Database, client: PgQueue
) -> None:
    """B44"""
    caller = database.connect(autocommit=False)
    bound = client.on(caller)
    kept = spoil(caller)
    with pytest.raises(InvalidInput, match=says):
        client.on(caller)
    with pytest.raises(InvalidInput, match=says):
        bound.send("orders", 1)
    del kept


def test_something_else_than_a_psycopg_connection_is_refused(client: PgQueue, db: psycopg.Connection) -> None:
    """B44"""
    for other in (object(), db.cursor(), "postgresql://"):
        with pytest.raises(InvalidInput, match="psycopg Connection"):
            client.on(other)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="psycopg AsyncConnection"):
        AsyncPgQueue(NOWHERE).on(db)  # type: ignore[arg-type]


def test_an_error_is_translated_and_the_transaction_is_left_to_the_caller(
    database: Database, db: psycopg.Connection, client: PgQueue
) -> None:
    caller = database.connect(autocommit=False)
    caller.execute("insert into app values (1)")
    with pytest.raises(QueueNotFound), caller.transaction():
        client.on(caller).send("nosuch", 1)
    assert caller.info.transaction_status == TransactionStatus.INTRANS
    client.on(caller).send("orders", 1)
    caller.commit()
    assert count(db) == (1, 1)


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_connection_that_dies_is_neither_repeated_nor_replaced(
    autocommit: bool,
    database: Database,
    db: psycopg.Connection,
    client: PgQueue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """U26"""
    caplog.set_level(logging.DEBUG, "pgqueue")
    caller = database.connect(autocommit=autocommit)
    bound = client.on(caller)
    (msg_id,) = [bound.send("orders", 1)]
    if not autocommit:
        caller.commit()
    (message,) = bound.read("orders")
    if not autocommit:
        caller.commit()
    with while_blocked(database, [kill(db)]) as met, pytest.raises(Unavailable, match="rolled back"):
        bound.delete("orders", msg_id, message.receipt)
    assert len(met) == 1
    assert count(db) == (1, 0)
    assert not caplog.records
    with pytest.raises(InvalidInput, match="closed"):
        bound.delete("orders", msg_id, message.receipt)


def test_the_callers_own_settings_neither_matter_nor_change(
    database: Database, db: psycopg.Connection, client: PgQueue
) -> None:
    caller = database.connect(row_factory=dict_row, cursor_factory=psycopg.ClientCursor)
    set_json_loads(lambda _: "replaced", caller)
    set_json_dumps(lambda _: '"replaced"', caller)
    before = caller.execute(
        "select current_setting('search_path') as a, current_setting('synchronous_commit') as b"
    )
    was = before.fetchone()
    bound = client.on(caller)
    bound.send("orders", {"n": 1})
    (message,) = bound.read("orders")
    assert message.message == {"n": 1}
    bound.delete("orders", message.msg_id, message.receipt)
    after = caller.execute(
        "select current_setting('search_path') as a, current_setting('synchronous_commit') as b"
    )
    assert after.fetchone() == was
    assert caller.row_factory is cast("Any", dict_row)
    assert caller.prepare_threshold == 5


def test_closing_a_bound_client_leaves_the_connection_open(database: Database, client: PgQueue) -> None:
    caller = database.connect()
    with client.on(caller):
        pass
    assert not caller.closed
