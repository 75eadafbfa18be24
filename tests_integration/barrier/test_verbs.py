"""The Python verbs on clients and connections, sync and async, through both doors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from pgqueue import App, AsyncPgQueue, PgQueue, barrier
from pgqueue.barrier import Options, Part, calls, settle
from pgqueue.barrier.model import Aborted, Arrival, PartOf
from pgqueue.barrier.rules import callback_of, part_of, result_text
from pgqueue.errors import BarrierLive, PartNotLive, PermissionDenied, QueueNotFound
from pgqueue.message.model import Message, Outcome
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.verbs import create_queue

app = App()


@app.task("page", queue="pages")
def page(n: int) -> None: ...


@app.task("assemble", queue="total")
def assemble(export: int) -> None: ...


@pytest.fixture(autouse=True)
def queues(database: Database) -> psycopg.Connection:
    db = database.connect()
    create_queue(db, "pages", "log")
    create_queue(db, "total", "row")
    return db


@pytest.fixture
def client(door: Door) -> Iterator[PgQueue]:
    with PgQueue(door.conninfo) as made:
        yield made


def end(client: PgQueue, messages: list[Message], results: list[object]) -> dict[int, Outcome]:
    parts = [part for message in messages if (part := part_of(message.headers)) is not None]
    assert len(parts) == len(messages)
    return client.run(
        settle.ack_parts(
            "pages",
            [message.msg_id for message in messages],
            [message.receipt for message in messages],
            parts,
            [result_text(result) for result in results],
        )
    )


def test_walk_from_arming_to_the_finished_callback(client: PgQueue) -> None:
    generation = barrier.arm(client, "export-7", [page.call(n=n) for n in range(5)], assemble.call(export=7))
    messages = client.read("pages", qty=10)
    assert set(end(client, messages[:3], [0, 1, 2]).values()) == {Outcome.DONE}
    (info,) = client.run(calls.barriers("export-7"))
    assert (info.state, info.done, info.open, info.progress) == ("live", 3, 2, 0.6)
    assert [one.part for one in client.run(calls.missing("export-7"))] == [3, 4]
    end(client, messages[3:], [None, {"n": 4}])
    assert [one.result for one in barrier.results(client, "export-7", generation, page=2)] == [
        0,
        1,
        2,
        None,
        {"n": 4},
    ]
    (callback,) = client.read("total")
    told = callback_of(callback.headers)
    assert told is not None
    assert (told.barrier, told.generation) == ("export-7", generation)
    assert callback.message["kwargs"] == {"export": 7, "_pg_transport": True}
    assert client.run(settle.callback_state("total", callback.msg_id, told)) == "due"
    finish = settle.finish_callback("total", callback.msg_id, callback.receipt, told)
    assert client.run(finish) is Outcome.DONE
    assert client.run(settle.callback_state("total", callback.msg_id, told)) == "finished"


def test_armed_in_the_callers_transaction(client: PgQueue, door: Door) -> None:
    connection = door.connect(autocommit=False, prepare_threshold=None)
    barrier.arm(connection, "b", [page.call(n=1)], assemble.call(export=1))
    connection.rollback()
    assert client.run(calls.barriers()) == []
    generation = barrier.arm(connection, "b", [page.call(n=1)], assemble.call(export=1))
    connection.commit()
    assert [one.generation for one in client.run(calls.barriers(state="live"))] == [generation]


def test_no_parts_arm_nothing(client: PgQueue) -> None:
    assert barrier.arm(client, "b", [], assemble.call(export=1)) is None
    assert barrier.arm(client, "b", [], assemble.call(export=1), Options(fire_empty=True)) is not None
    assert len(client.read("total")) == 1


def test_growing_failing_and_aborting(client: PgQueue) -> None:
    generation = barrier.arm(client, "b", [Part("pages", 1)], Part("total", 2), Options(policy="collect"))
    part = PartOf("b", generation, 0)
    assert barrier.add(client, part, [Part("pages", 3), Part("pages", 4)]) == 1
    (first, *_) = client.read("pages", qty=3)
    told = part_of(first.headers)
    assert told is not None
    outcome = client.run(
        settle.bury_parts("pages", [first.msg_id], [first.receipt], [told], ["lame"], ["boom"])
    )
    assert outcome == {first.msg_id: Outcome.DONE}
    assert client.run(calls.arrive(PartOf("b", generation, 1), [7])) is Arrival.ARRIVED
    with pytest.raises(PartNotLive):
        barrier.add(client, part, [Part("pages", 5)])
    with pytest.raises(BarrierLive, match='barrier "b" is live'):
        barrier.arm(client, "b", [Part("pages", 1)], Part("total", 2))
    with pytest.raises(QueueNotFound):
        barrier.arm(client, "c", [Part("nowhere", 1)], Part("total", 2))
    assert barrier.abort(client, "b", "enough") is Aborted.ABORTED
    assert barrier.abort(client, "b") is Aborted.ENDED
    assert client.run(calls.fail(PartOf("b", generation, 2))) is Arrival.ENDED
    assert client.run(calls.sweep()) is None
    assert client.run(calls.forget()) == 0


def test_async_walk(database: Database) -> None:
    async def walk() -> list[object]:
        async with AsyncPgQueue(database.conninfo) as client:
            generation = await barrier.arm(
                client, "b", [page.call(n=n) for n in range(3)], assemble.call(export=7)
            )
            for n in range(3):
                assert await client.run(calls.arrive(PartOf("b", generation, n), n)) in set(Arrival)
            return [one.result async for one in barrier.results_async(client, "b", generation, page=2)]

    assert asyncio.run(walk()) == [0, 1, 2]


def test_refused_right_names_the_role_that_fits(database: Database, queues: psycopg.Connection) -> None:
    session = database.connect()
    session.execute("set session authorization pgqueue_consumer")
    with pytest.raises(PermissionDenied, match="grant pgqueue_producer"):
        barrier.arm(session, "b", [Part("pages", 1)], Part("total", 2))
    session.execute("reset session authorization")
    session.execute("set session authorization pgqueue_producer")
    generation = barrier.arm(session, "b", [Part("pages", 1)], Part("total", 2))
    with pytest.raises(PermissionDenied, match="grant pgqueue_consumer"):
        PgQueue(database.conninfo).on(session).run(calls.arrive(PartOf("b", generation, 0)))


def test_parts_and_callback_wake_whoever_waits(client: PgQueue, queues: psycopg.Connection) -> None:
    for queue in ("pages", "total"):
        queues.execute("select * from pgqueue.read_or_await(%s, '1 hour')", [queue])
    awaited = "select pgqueue.is_awaited('pages'), pgqueue.is_awaited('total')"
    generation = barrier.arm(client, "b", [page.call(n=1)], assemble.call(export=1))
    assert queues.execute(awaited).fetchone() == (False, True)
    client.run(calls.arrive(PartOf("b", generation, 0)))
    assert queues.execute(awaited).fetchone() == (False, False)
