"""The listener: hears what others send, comes back, and knows where it would never hear anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest

from pgqueue import AsyncPgQueue
from pgqueue.db import listener as listening
from pgqueue.db.doors import DirectDoor
from pgqueue.db.listener import Listener
from pgqueue.settings import read_dsn
from tests_integration.db.fault_proxy import FaultProxy
from tests_integration.db.faults import Events
from tests_integration.doorbell.ears import wait_for_message
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Queue, create_queue, scalar
from tests_integration.fixtures.waiting import eventually_async

ROLE = "application_name = 'pgqueue/listen' and datname = current_database()"


class Heard:
    """What a listener of a test has heard."""

    def __init__(self, made: Listener) -> None:
        self.listener = made
        self.rings: list[str] = []
        self.task: asyncio.Task[None]

    async def ready(self) -> None:
        await eventually_async(self.listener.hears)


@asynccontextmanager
async def listens(
    conninfo: str,
    work: str,
    *queues: str,
    pause: Callable[[float], Awaitable[object]] = lambda _: asyncio.sleep(0.01),
) -> AsyncIterator[Heard]:
    async with AsyncPgQueue(work) as client:
        door = DirectDoor(read_dsn(conninfo, "test"), "listen")
        heard = Heard(Listener(door, client.run, pause=pause))
        heard.task = asyncio.create_task(heard.listener.listen(queues or ["orders"], heard.rings.append))
        try:
            yield heard
        finally:
            heard.task.cancel()
            await asyncio.wait({heard.task})
    if not heard.task.cancelled():
        heard.task.result()
    assert not heard.listener.hears()


def listeners(db: psycopg.Connection) -> int:
    found: int = scalar(db, f"select count(*) from pg_stat_activity where {ROLE}")
    return found


async def test_it_hears_each_of_its_queues_on_one_connection_and_no_other(
    database: Database, db: psycopg.Connection, events: Events
) -> None:
    for name in ("orders", "mails", "other"):
        create_queue(db, name)
    async with listens(database.conninfo, database.conninfo, "orders", "mails") as heard:
        await heard.ready()
        assert heard.rings == ["orders", "mails"], "what came before nobody has heard"
        assert listeners(db) == 1
        for name in ("other", "mails", "orders", "mails"):
            queue = Queue(db, name, "through its clone")
            wait_for_message(queue)
            queue.call("ring")
        await eventually_async(lambda: len(heard.rings) == 5)
        assert heard.rings[2:] == ["mails", "orders", "mails"]
    (connected,) = events.named("listener.connected")
    assert connected["queues"] == ["orders", "mails"]
    await eventually_async(lambda: listeners(db) == 0)


async def test_a_lost_connection_is_told_once_and_comes_back(
    server: str, database: Database, orders: Queue, events: Events
) -> None:
    db, admin = orders.connection, psycopg.connect(server, autocommit=True)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0.01)

    with admin:
        async with listens(database.conninfo, database.conninfo, pause=pause) as heard:
            await heard.ready()
            for again in (1, 2):
                admin.execute(f"alter database {database.name} with allow_connections false")
                db.execute(
                    f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where {ROLE}".encode()
                )
                await eventually_async(lambda n=again: len(events.named("listener.lost")) == n)  # type: ignore[misc]
                pauses.clear()
                await eventually_async(lambda: len(pauses) >= 5)
                assert not heard.listener.hears()
                heard.rings.clear()
                admin.execute(f"alter database {database.name} with allow_connections true")
                await heard.ready()
                assert heard.rings == ["orders"], "a ring may have been missed meanwhile"
                wait_for_message(orders)
                orders.call("ring")
                await eventually_async(lambda: heard.rings == ["orders"] * 2)
                assert len(events.named("listener.lost")) == again
                assert max(pauses) <= 5
                assert pauses[0] < pauses[-1]
    assert len(events.named("listener.connected")) == 3


async def test_through_a_pooler_it_says_so_once_and_leaves_nothing_behind(
    database: Database, orders: Queue, own_bouncer: Bouncer, events: Events
) -> None:
    pooled = own_bouncer.conninfo(database.name)
    async with listens(pooled, pooled) as heard:
        await asyncio.wait({heard.task}, timeout=5)
        assert heard.task.done()
        assert heard.rings == []
    (refused,) = events.named("listener.refused")
    assert "connection pooler" in refused["error"]
    with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as connection:
        assert scalar(connection, "select count(*) from pg_listening_channels()") == 0


async def test_a_direct_door_beside_a_pooled_one_hears_what_is_sent_through_the_pooler(
    database: Database, orders: Queue, own_bouncer: Bouncer
) -> None:
    pooled = own_bouncer.conninfo(database.name)
    async with listens(database.conninfo, pooled) as heard, AsyncPgQueue(pooled) as sender:
        await heard.ready()
        wait_for_message(orders)
        await sender.send("orders", 1)
        await eventually_async(lambda: heard.rings == ["orders"] * 2)


async def test_a_direct_door_to_another_database_is_refused(
    database: Database,
    empty_database: Database,
    orders: Queue,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "PROOF_SECONDS", 0.1)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async with listens(empty_database.conninfo, database.conninfo, pause=pause) as heard:
        await eventually_async(lambda: len(pauses) >= 2)
        assert not heard.listener.hears()
        assert heard.rings == []
    assert len(events.named("listener.refused")) == 1
    assert min(pauses) >= 30, "it is asked again, but seldom"


async def test_a_peer_that_died_in_silence_is_noticed(
    database: Database, orders: Queue, proxy: FaultProxy, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(listening, "PROOF_SECONDS", 0.5)
    async with listens(proxy.conninfo(database.conninfo), database.conninfo) as heard:
        await heard.ready()
        checks = f"select count(*) from pg_stat_activity where {ROLE} and query = 'select 1'"
        await eventually_async(lambda: scalar(orders.connection, checks) == 1)
        assert events.named("listener.lost") == []
        proxy.black_hole()
        await eventually_async(lambda: events.named("listener.lost"))
        assert not heard.listener.hears()
        proxy.heal()
        await heard.ready()
        wait_for_message(orders)
        orders.call("ring")
        await eventually_async(lambda: heard.rings == ["orders"] * 3)
