"""Every verb of both clients, through both doors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from pgqueue import AsyncPgQueue, PgQueue
from pgqueue.errors import (
    ClientMisuse,
    PayloadError,
    PermissionDenied,
    QueueExists,
    QueueNotEmpty,
    QueueNotFound,
    SchemaMismatch,
)
from pgqueue.message.model import Outcome
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door

OpenClient = Callable[..., PgQueue]


@pytest.fixture
def client(door: Door, open_client: OpenClient) -> PgQueue:
    opened = open_client(door.conninfo)
    opened.create_queue("orders", "row")
    return opened


def test_a_message_goes_out_and_comes_back_with_everything_it_carried(client: PgQueue) -> None:
    msg_id = client.send("orders", {"n": 1.5}, headers={"trace": "t"}, group_key="acme", priority=3)
    (message,) = client.read("orders", holder="w1", vt=timedelta(minutes=1))
    assert (message.msg_id, message.read_ct, message.release_ct) == (msg_id, 1, 0)
    assert (message.message, message.headers) == ({"n": 1.5}, {"trace": "t"})
    assert (message.priority, message.group_key, message.broken) == (3, "acme", None)
    assert (message.vt - (message.last_read_at or message.vt)).total_seconds() == 60
    assert client.delete("orders", msg_id, message.receipt) is Outcome.DONE
    assert client.delete("orders", msg_id, message.receipt) is Outcome.GONE
    assert client.read("orders") == []


def test_a_batch_keeps_the_order_of_messages_headers_keys_and_groups(client: PgQueue) -> None:
    payloads = [{"n": n} for n in range(300)]
    ids = client.send_many(
        "orders",
        [*payloads, None],
        headers=[None, *({"h": n} for n in range(1, 300)), {}],
        keys=[f"k{n}" for n in range(300)] + [None],
        group_keys=["g" if n % 2 else None for n in range(301)],
        priority=2,
    )
    assert ids == sorted(set(ids))
    shown = client.peek("orders", qty=1000)
    assert [one.msg_id for one in shown] == ids
    assert [one.message for one in shown] == [*payloads, None]
    assert [one.headers for one in shown[:2]] == [None, {"h": 1}]
    assert {one.priority for one in shown} == {2}
    assert client.send_many("orders", [7], keys=["k5"]) == [ids[5]]
    assert client.send_many("orders", []) == []


def test_settling_verbs_do_what_they_say_and_a_stale_receipt_changes_nothing(client: PgQueue) -> None:
    ids = client.send_many("orders", [1, 2, 3, 4, 5, 6])
    receipts = {message.msg_id: message.receipt for message in client.read("orders", qty=10)}
    one, two, three, four, five, six = ids
    assert client.archive("orders", one, receipts[one]) is Outcome.DONE
    assert client.release("orders", two, receipts[two]) is Outcome.DONE
    assert client.retry("orders", three, 60, "boom\x1b", receipts[three]) is Outcome.DONE
    assert client.bury("orders", four, "hopeless", "Traceback …", receipts[four]) is Outcome.DONE
    assert client.set_vt("orders", five, 120, receipts[five]) is Outcome.DONE
    assert client.set_vt("orders", five, 120, (receipts[five] or 0) + 1) is Outcome.STALE
    assert client.delete_many("orders", [five, six, 999], [receipts[five], 0, 0]) == {
        five: Outcome.DONE,
        six: Outcome.STALE,
        999: Outcome.GONE,
    }
    assert {one.msg_id: one.state for one in client.peek("orders")} == {
        two: "ready",
        three: "retry",
        six: "in_flight",
    }


def test_dead_letters_are_seen_and_sent_again(client: PgQueue) -> None:
    first = client.send("orders", {"n": 1})
    (message,) = client.read("orders")
    client.bury("orders", first, "hopeless", "boom", message.receipt)
    (letter,) = client.dead_letters("orders")
    assert (letter.msg_id, letter.reason, letter.error, letter.message) == (
        first,
        "hopeless",
        "boom",
        {"n": 1},
    )
    moved = client.redrive("orders", [first])
    (again,) = client.read("orders")
    assert moved == {first: again.msg_id}
    assert again.message == {"n": 1}
    assert client.redrive("orders") == {}
    assert client.dead_letters("orders", waiting_only=True) == []
    assert client.dead_letters("orders")[0].redriven_as == again.msg_id


def test_pop_takes_messages_out_without_a_receipt(client: PgQueue) -> None:
    client.send_many("orders", [1, 2])
    assert [(message.message, message.receipt) for message in client.pop("orders", qty=5)] == [
        (1, None),
        (2, None),
    ]
    assert client.peek("orders") == []


def test_a_filter_reads_what_contains_it(client: PgQueue) -> None:
    client.send_many("orders", [{"org": "a"}, {"org": "b"}])
    assert [message.message for message in client.read("orders", qty=5, filter={"org": "b"})] == [
        {"org": "b"}
    ]


def test_queues_are_made_configured_counted_and_dropped(client: PgQueue) -> None:
    client.create_queue("orders")
    with pytest.raises(QueueExists):
        client.create_queue("orders", settings={"vt": 45})
    assert client.configure_queue("orders", {"vt": timedelta(seconds=45)}).vt == 45
    client.send("orders", 1)
    client.send("orders", 1, delay=60)
    (info,) = client.metrics("orders")
    assert (info.depth, info.ready, info.delayed, info.settings.vt) == (2, 1, 1, 45)
    assert [one.queue for one in client.list_queues()] == ["orders"]
    with pytest.raises(QueueNotEmpty):
        client.drop_queue("orders")
    assert client.purge_queue("orders") == 2
    assert client.drop_queue("orders") is True
    assert client.drop_queue("orders") is False


def test_a_queue_that_does_not_exist_is_named_by_every_verb(client: PgQueue) -> None:
    """B10"""
    for attempt in (
        lambda: client.send("nosuch", 1),
        lambda: client.send_many("nosuch", [1]),
        lambda: client.read("nosuch"),
        lambda: client.delete("nosuch", 1, 2),
        lambda: client.peek("nosuch"),
        lambda: client.redrive("nosuch"),
        lambda: client.metrics("nosuch"),
        lambda: client.configure_queue("nosuch", {"vt": 1}),
    ):
        with pytest.raises(QueueNotFound) as caught:
            attempt()
        assert caught.value.queue == "nosuch"


def test_a_payload_over_the_queues_limit_is_refused_by_the_server(client: PgQueue) -> None:
    client.configure_queue("orders", {"payload_limit": 100})
    with pytest.raises(PayloadError):
        client.send("orders", "x" * 200)
    assert client.send("orders", "x" * 50)


def test_a_database_without_the_schema_says_migrate(
    empty_database: Database, open_client: OpenClient
) -> None:
    client = open_client(empty_database.conninfo)
    for attempt in (
        lambda: client.send("orders", 1),
        client.list_queues,
        lambda: client.create_queue("orders"),
    ):
        with pytest.raises(SchemaMismatch) as caught:
            attempt()
        assert "pgqueue migrate" in caught.value.cure


def test_a_role_without_rights_is_told_which_grant_it_needs(
    database: Database, open_client: OpenClient
) -> None:
    admin = database.connect()
    admin.execute("select pgqueue.create_queue('orders', 'row')")
    role = f"nobody_{database.name}"
    admin.execute(f"create role {role} login password 'x'")
    try:
        conninfo = psycopg.conninfo.make_conninfo(
            database.conninfo, user=role, password="x", passfile="/dev/null"
        )
        with pytest.raises(PermissionDenied) as caught:
            open_client(conninfo).send("orders", 1)
        assert "pgqueue_producer" in caught.value.cure
    finally:
        admin.execute(f"drop role {role}")


def test_a_hostile_row_written_by_sql_does_not_lose_the_batch(client: PgQueue, database: Database) -> None:
    ids = client.send_many("orders", [1, 2, 3])
    digits = "9" * 5001
    database.connect().execute(
        "update pgqueue.r_orders set message = %s::jsonb where msg_id = %s", [digits, ids[1]]
    )
    good, hostile, last = client.read("orders", qty=3)
    assert (good.message, last.message) == (1, 3)
    assert hostile.message is None
    assert hostile.broken
    assert client.bury("orders", hostile.msg_id, "malformed", hostile.broken, hostile.receipt) is Outcome.DONE
    assert client.dead_letters("orders")[0].broken


def test_threads_share_one_client(door: Door) -> None:
    with PgQueue(door.conninfo, max_connections=3) as client:
        client.create_queue("orders")
        ids: list[int] = []
        threads = [
            threading.Thread(target=lambda: ids.extend(client.send("orders", n) for n in range(20)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(ids)) == 160


async def test_tasks_share_one_client(door: Door) -> None:
    async with AsyncPgQueue(door.conninfo, max_connections=3) as client:
        await client.create_queue("orders")
        ids = await asyncio.gather(*(client.send("orders", n) for n in range(100)))
        assert len(set(ids)) == 100


async def test_a_cancelled_call_costs_its_connection_and_nothing_else(door: Door, database: Database) -> None:
    async with AsyncPgQueue(door.conninfo, max_connections=1) as client:
        await client.create_queue("orders", "row")
        blocker = database.connect(autocommit=False)
        blocker.execute("lock table pgqueue.r_orders in access exclusive mode")
        sending = asyncio.create_task(client.send("orders", 1))
        await asyncio.sleep(0.05)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        blocker.rollback()
        assert await client.send("orders", 2) > 0
        assert [one.message for one in await client.peek("orders")] == [2]


def test_an_async_client_belongs_to_one_loop(database: Database) -> None:
    """B43"""
    client = AsyncPgQueue(database.conninfo)

    async def use() -> None:
        await client.list_queues()

    first = asyncio.new_event_loop()
    first.run_until_complete(use())
    with pytest.raises(ClientMisuse, match="event loop"):
        asyncio.run(use())
    first.run_until_complete(client.close())
    first.close()


def test_a_closed_client_says_so(client: PgQueue) -> None:
    """B43"""
    client.close()
    with pytest.raises(ClientMisuse, match="closed"):
        client.send("orders", 1)
