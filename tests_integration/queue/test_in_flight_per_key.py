"""How many messages of one identity may be leased at once; the others pass them by."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.verbs import Queue, configure_queue, create_queue, rows


@pytest.fixture
def orders(db: psycopg.Connection) -> Queue:
    """Make a queue in which each identity may have two messages in flight."""
    create_queue(db, "orders", "row", max_in_flight_per_key=2)
    return Queue(db)


def send(queue: Queue, *keys: str | None, **arguments: Any) -> list[int]:
    """Send a message of each of these identities, in order."""
    headers = [Jsonb({"pgqueue-key": key}) if key else None for key in keys]
    messages = [Jsonb({})] * len(keys)
    return [row[0] for row in queue.rows("send_batch", messages=messages, headers=headers, **arguments)]


def keys(messages: list[Any]) -> list[str | None]:
    return [(message.headers or {}).get("pgqueue-key") for message in messages]


def test_of_each_identity_no_more_than_its_share_and_in_order(orders: Queue) -> None:
    sent = send(orders, "a", "a", "a", "b", "a", "b", "b", "c")
    read = orders.read(qty=100)
    assert keys(read) == ["a", "a", "b", "b", "c"]
    assert [message.msg_id for message in read] == [sent[n] for n in (0, 1, 3, 5, 7)]
    assert orders.read(qty=100) == []


def test_the_end_of_a_lease_makes_room_for_its_own_identity_only(orders: Queue, clock: Clock) -> None:
    send(orders, *"aaabbb")
    first, _, third, _ = orders.read(qty=100)
    orders.call("delete", msg_id=first.msg_id, receipt=first.receipt)
    assert keys(orders.read(qty=100)) == ["a"]
    orders.call("retry", msg_id=third.msg_id, delay="1 hour", receipt=third.receipt)
    assert keys(orders.read(qty=100)) == ["b"]
    clock.advance(31)
    assert keys(orders.read(qty=100)) == ["a", "a", "b", "b"]


def test_messages_without_an_identity_are_not_limited(orders: Queue) -> None:
    send(orders, "a", None, "a", None, "a", None)
    assert keys(orders.read(qty=100)) == ["a", None, "a", None, None]
    for _ in range(3):
        orders.send({}, headers={"pgqueue-key": None, "pgqueue-scope": "x"})
    assert len(orders.read(qty=100)) == 3


def test_the_same_key_in_two_scopes_is_two_identities(orders: Queue) -> None:
    for scope in ("x", "y", None):
        for _ in range(3):
            headers = {"pgqueue-key": "7"} | ({"pgqueue-scope": scope} if scope else {})
            orders.send({}, headers=headers)
    read = orders.read(qty=100)
    assert Counter(message.headers.get("pgqueue-scope") for message in read) == {"x": 2, "y": 2, None: 2}


@pytest.mark.parametrize("ahead", [60, 400, 5000])
def test_a_thousand_waiting_messages_of_one_identity_hold_up_nobody(orders: Queue, ahead: int) -> None:
    orders.connection.execute(
        "insert into pgqueue.r_orders (msg_id, enqueued_at, vt, message, headers)"
        " select nextval('pgqueue.s_orders'), c, c, '{}', '{\"pgqueue-key\": \"big\"}'"
        " from generate_series(1, %s), pgqueue.clock() c",
        [ahead],
    )
    send(orders, "a", "b", "b", "b", None)
    seen: Counter[str | None] = Counter()
    for _ in range(4):
        seen += Counter(keys(orders.read(qty=3)))
    assert seen == {"big": 2, "a": 1, "b": 2, None: 1}


def test_many_identities_behind_a_full_one_are_all_served(orders: Queue) -> None:
    orders.connection.execute(
        "insert into pgqueue.r_orders (msg_id, enqueued_at, vt, message, headers)"
        " select nextval('pgqueue.s_orders'), c, c, '{}',"
        " jsonb_build_object('pgqueue-key', case when g > 300 then g::text else 'big' end)"
        " from generate_series(1, 1500) g, pgqueue.clock() c"
    )
    served: set[str | None] = set()
    for _ in range(60):
        read = orders.read(qty=50)
        served |= set(keys(read))
        if read:
            orders.outcomes("delete_batch", msg_ids=[m.msg_id for m in read], receipts=[read[0].receipt])
    assert len(served) == 1201


def test_levels_come_first_and_filters_and_groups_hold(orders: Queue) -> None:
    send(orders, *"aaa")
    send(orders, *"ab", priority=5)
    assert keys(orders.read(qty=100)) == ["a", "b", "a"]
    orders.send({"n": 1}, headers={"pgqueue-key": "c"}, group_key="g")
    orders.send({"n": 2}, headers={"pgqueue-key": "d"}, group_key="g")
    orders.send({"n": 2}, headers={"pgqueue-key": "e"})
    assert [message.message for message in orders.read(qty=100, filter={"n": 2})] == [{"n": 2}]
    assert [message.message for message in orders.read(qty=100)] == [{"n": 1}]


def test_messages_past_the_hard_cap_are_buried_on_the_way(orders: Queue, db: psycopg.Connection) -> None:
    send(orders, *"aaabbb", None)
    db.execute("update pgqueue.r_orders set read_ct = 10 where msg_id in (1, 4, 7)")
    read = orders.read(qty=100)
    assert [message.msg_id for message in read] == [2, 3, 5, 6]
    assert [(letter.msg_id, letter.reason, letter.read_ct) for letter in orders.dead()] == [
        (1, "hard_cap", 10), (4, "hard_cap", 10), (7, "hard_cap", 10),
    ]  # fmt: skip


def test_leases_are_like_those_of_any_read(orders: Queue, clock: Clock) -> None:
    send(orders, "a")
    (message,) = orders.read(vt="1 min", holder="me")
    shown = orders.look(message.msg_id)
    assert (message.read_ct, message.vt, shown.vt, shown.holder) == (1, shown.vt, shown.vt, "me")
    assert orders.call("delete", msg_id=message.msg_id, receipt=message.receipt + 1) == "stale"
    assert orders.call("delete", msg_id=message.msg_id, receipt=message.receipt) == "done"


def test_both_limits_and_the_rate_hold_together(db: psycopg.Connection, clock: Clock) -> None:
    create_queue(db, "orders", "row", max_in_flight_per_key=2, max_in_flight=5, rate_limit=1, rate_burst=4)
    queue = Queue(db)
    send(queue, *"aaaabbbbcccc")
    assert keys(queue.read(qty=100)) == ["a", "a", "b", "b"]
    clock.advance(10)
    assert keys(queue.read(qty=100)) == ["c"]
    clock.advance(10)
    assert queue.read(qty=100) == []


@pytest.mark.parametrize("key", ["x" * 2000, "", "ключ", '"', "[1]"])
def test_any_key_that_a_sender_may_store_can_be_counted(orders: Queue, key: str) -> None:
    for _ in range(3):
        orders.send({}, headers={"pgqueue-key": key})
    assert len(orders.read(qty=100)) == 2


@pytest.mark.parametrize("key", [5, ["a"], {"a": 1}, True])
def test_keys_of_odd_types_are_counted_too(orders: Queue, key: object) -> None:
    for _ in range(3):
        orders.send({}, headers={"pgqueue-key": key})
    assert len(orders.read(qty=100)) == 2


def test_a_lowered_limit_holds_although_more_are_in_flight(orders: Queue, db: psycopg.Connection) -> None:
    send(orders, *"aaab")
    assert len(orders.read(qty=100)) == 3
    configure_queue(db, "orders", max_in_flight_per_key=1)
    send(orders, *["a"] * 200, "b", "c")
    assert keys(orders.read(qty=100)) == ["c"]
    configure_queue(db, "orders", max_in_flight_per_key=0)
    assert len(orders.read(qty=1000)) == 202


def test_the_indexes_come_and_go(orders: Queue, db: psycopg.Connection) -> None:
    extra = "select relname from pg_class where relname ~ '^ix_r_orders_(leased|held|key)$' order by 1"
    assert [row.relname for row in rows(db, extra)] == ["ix_r_orders_held", "ix_r_orders_key"]
    configure_queue(db, "orders", max_in_flight_per_key=None)
    assert rows(db, extra) == []
