from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    Queue,
    configure_queue,
    create_queue,
    every_door,
    every_way,
    every_way_of_row,
    log_only,
    refused,
    rows,
    scalar,
)


@pytest.mark.parametrize("priority", [0, 3])
@every_door
def test_sent_message_is_read_back_whole(orders: Queue, priority: int) -> None:
    body = {"text": "dépôt \U0001f600", "list": [1, None, 2.5, {"deep": True}], "big": 2**70}
    sent = orders.send(body, headers={"trace": "abc"}, priority=priority)
    message = orders.read_one()
    assert (message.msg_id, message.message, message.headers) == (sent, body, {"trace": "abc"})
    assert (message.priority, message.group_key, message.read_ct, message.release_ct) == (
        priority,
        None,
        1,
        0,
    )


def test_any_json_value_is_a_message(orders: Queue) -> None:
    bodies: list[object] = [None, [], {}, "", 0, False, [[]], "null"]
    for body in bodies:
        orders.call("send", message=Jsonb(body))
    assert [message.message for message in orders.read(qty=10)] == bodies


def test_ids_rise_and_are_never_given_twice(orders: Queue) -> None:
    sent = [orders.send() for _ in range(5)]
    assert sent == sorted(set(sent))


@every_way
def test_delayed_message_is_seen_when_its_time_has_come(orders: Queue, clock: Clock) -> None:
    sent = orders.send(delay=timedelta(minutes=5))
    assert orders.read() == []
    assert orders.look(sent).state == "delayed"
    clock.advance(299.999)
    assert orders.read() == []
    clock.advance(0.001)
    assert orders.read_one().msg_id == sent


def test_enqueued_at_is_the_time_of_the_send_also_when_delayed(orders: Queue, clock: Clock) -> None:
    sent = orders.send(delay=timedelta(days=366))
    assert orders.look(sent).enqueued_at == START
    assert orders.look(sent).vt == START + timedelta(days=366)


@pytest.mark.parametrize("undo", ["rollback", "rollback to savepoint s"])
def test_send_that_is_rolled_back_leaves_nothing(database: Database, orders: Queue, undo: str) -> None:
    session = database.connect()
    session.execute("begin")
    session.execute("savepoint s")
    orders.on(session).send(key="k", **orders.ranked(group_key="g"))
    orders.on(session).send_many(2)
    session.execute(undo.encode())
    session.execute("commit" if "savepoint" in undo else "select 1")
    assert orders.ids() == []
    first = orders.send(key="k")
    assert orders.ids() == [first]


def test_uncommitted_send_is_not_seen(database: Database, orders: Queue) -> None:
    session = database.connect()
    with session.transaction():
        sent = orders.on(session).send()
        assert orders.read() == []
        assert orders.ids() == []
    assert orders.read_one().msg_id == sent


class TestSendBatch:
    @every_door
    def test_ids_come_in_the_order_of_the_input(self, orders: Queue) -> None:
        sent = orders.send_many(500)
        assert sent == sorted(sent)
        assert [orders.look(i).message["n"] for i in (sent[0], sent[250], sent[-1])] == [0, 250, 499]
        assert [message.message["n"] for message in orders.read(qty=500)] == list(range(500))

    def test_empty_batch_sends_nothing(self, orders: Queue) -> None:
        assert orders.rows("send_batch", messages=[]) == []
        assert orders.ids() == []

    @pytest.mark.parametrize("priority", [0, 4])
    @every_way
    def test_each_element_has_its_own_headers_and_key(self, orders: Queue, priority: int) -> None:
        sent = orders.send_many(
            3,
            headers=[Jsonb({"h": 1}), None, Jsonb({"h": 3})],
            keys=[None, "k", None],
            group_keys=[None] * 3,
            priority=priority,
            delay=timedelta(seconds=-0),
        )
        seen = [orders.look(msg_id) for msg_id in sent]
        assert [message.headers for message in seen] == [{"h": 1}, None, {"h": 3}]
        assert {message.priority for message in seen} == {priority}
        assert orders.send(key="k") == sent[1]

    @every_way_of_row
    def test_each_element_has_its_own_group(self, orders: Queue) -> None:
        sent = orders.send_many(3, group_keys=["a", None, "b"])
        assert [orders.look(msg_id).group_key for msg_id in sent] == ["a", None, "b"]

    @pytest.mark.parametrize(
        ("bad", "sqlstate"),
        [
            ({"messages": [Jsonb(1), None]}, "PQ003"),
            ({"messages": [Jsonb(1), Jsonb("x" * 2000)]}, "PQ003"),
            ({"messages": [Jsonb(1), Jsonb(2)], "headers": [None, Jsonb([])]}, "PQ002"),
            ({"messages": [Jsonb(1), Jsonb(2)], "keys": ["k", ""]}, "PQ002"),
            ({"messages": [Jsonb(1), Jsonb(2)], "group_keys": ["g", "x" * 256]}, "PQ002"),
        ],
    )
    @every_way
    def test_one_bad_element_sends_nothing(
        self, orders: Queue, bad: dict[str, object], sqlstate: str
    ) -> None:
        configure_queue(orders.connection, "orders", payload_limit=1000)
        refused(sqlstate, lambda: orders.rows("send_batch", **bad))
        assert orders.ids() == []
        assert scalar(orders.connection, "select count(*) from pgqueue.k_orders") == 0

    def test_bad_payload_is_named_by_its_place(self, orders: Queue) -> None:
        error = refused("PQ003", lambda: orders.rows("send_batch", messages=[Jsonb(1), None, None]))
        assert "messages[2]" in str(error)

    def test_ten_thousand_at_once_are_the_most(self, orders: Queue) -> None:
        assert len(orders.send_many(10_000)) == 10_000
        error = refused("PQ002", lambda: orders.send_many(10_001))
        assert "10001" in str(error)
        assert "10000" in str(error)


@log_only
@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("send", {"message": Jsonb(1), "group_key": "g"}),
        ("send", {"message": Jsonb(1), "group_key": "g", "delay": timedelta(1), "key": "k"}),
        ("send_batch", {"messages": [Jsonb(1), Jsonb(2)], "group_keys": [None, "g"]}),
    ],
)
def test_log_refuses_groups_with_the_cure(orders: Queue, verb: str, arguments: dict[str, object]) -> None:
    error = refused("PQ008", lambda: orders.rows(verb, **arguments))
    assert "row" in (error.diag.message_hint or "")
    assert orders.ids() == []
    assert scalar(orders.connection, "select count(*) from pgqueue.k_orders") == 0


class TestKeys:
    @every_way
    def test_same_key_within_its_window_answers_the_first_id(self, orders: Queue, clock: Clock) -> None:
        first = orders.send({"n": 1}, key="k")
        clock.advance(86_399)
        assert orders.send({"n": 1}, key="k") == first
        assert orders.ids() == [first]

    def test_key_is_free_again_after_its_window(self, orders: Queue, clock: Clock) -> None:
        first = orders.send(key="k")
        clock.advance(86_400)
        second = orders.send(key="k")
        assert second > first
        assert orders.send(key="k") == second
        assert orders.ids() == [first, second]

    def test_window_of_a_key_is_not_prolonged_by_a_repeat(self, orders: Queue, clock: Clock) -> None:
        first = orders.send(key="k")
        clock.advance(50_000)
        assert orders.send(key="k") == first
        clock.advance(40_000)
        assert orders.send(key="k") != first

    def test_key_outlives_its_message(self, orders: Queue) -> None:
        first = orders.send(key="k")
        assert orders.call("delete", msg_id=first) == "done"
        assert orders.send(key="k") == first
        assert orders.ids() == []

    def test_key_window_is_a_setting(self, orders: Queue, clock: Clock) -> None:
        configure_queue(orders.connection, "orders", key_window=60)
        first = orders.send(key="k")
        clock.advance(60)
        assert orders.send(key="k") != first

    def test_keys_of_two_queues_are_strangers(self, orders: Queue) -> None:
        create_queue(orders.connection, "other", orders.kind)
        orders.send(key="k")
        other = Queue(orders.connection, "other", orders.way)
        other.send(key="k")
        assert len(other.ids()) == 1

    @every_way
    def test_doubles_in_a_batch_are_one_message(self, orders: Queue) -> None:
        sent = orders.send_many(6, keys=["a", "b", "a", None, "b", None])
        assert sent[2] == sent[0]
        assert sent[4] == sent[1]
        assert orders.ids() == sorted({sent[0], sent[1], sent[3], sent[5]})
        assert orders.look(sent[0]).message == {"n": 0}

    def test_batch_with_known_keys_sends_only_the_rest(self, orders: Queue) -> None:
        first = orders.send(key="b")
        sent = orders.send_many(3, keys=["a", "b", "c"])
        assert sent[1] == first
        assert orders.ids() == [first, sent[0], sent[2]]

    @pytest.mark.parametrize("batch", [False, True])
    @every_way
    def test_other_payload_under_a_key_is_warned_about(self, orders: Queue, batch: bool) -> None:
        heard: list[str] = []
        orders.connection.add_notice_handler(lambda said: heard.append(said.message_primary or ""))
        first = orders.send({"n": 7}, key="the-key")
        assert orders.send({"n": 7}, key="the-key") == first
        assert heard == []
        if batch:
            assert orders.send_many(1, keys=["the-key"]) == [first]
        else:
            assert orders.send({"n": 8}, key="the-key") == first
        assert len(heard) == 1
        assert "the-key" in heard[0]
        assert orders.look(first).message == {"n": 7}

    def test_a_send_forgets_at_most_two_expired_keys(self, orders: Queue, clock: Clock) -> None:
        orders.send_many(10, keys=[f"k{n}" for n in range(10)])
        clock.advance(90_000)
        kept = "select count(*) from pgqueue.k_orders"
        orders.send(key="new1")
        assert scalar(orders.connection, kept) == 9
        for n in range(4):
            orders.send(key=f"new2{n}")
        assert scalar(orders.connection, kept) == 5

    def test_longest_key_is_255_bytes(self, orders: Queue) -> None:
        assert orders.send(key="x" * 255) == orders.send(key="x" * 255)
        refused("PQ002", lambda: orders.send(key="é" * 128))


def test_clone_has_the_parameters_and_defaults_of_the_dispatcher(db: psycopg.Connection) -> None:
    create_queue(db, "orders")
    differing = rows(
        db,
        r"""
        with signature as (
            select split_part(p.proname, '__', 1) as verb, p.proname like '%\_\_orders' as clone, p.proretset,
                   regexp_replace(pg_get_function_arguments(p.oid), '^queue text(, )?', '') as arguments,
                   pg_get_function_result(p.oid) as result
            from pg_proc p where p.pronamespace = 'pgqueue'::regnamespace)
        select c.verb, c.arguments, d.arguments as by_name, c.result, d.result as result_by_name
        from signature c left join signature d on d.verb = c.verb and not d.clone
        where c.clone and c.verb not in ('outcomes', 'claim_keys')
          and (d.verb, d.arguments, d.result, d.proretset)
              is distinct from (c.verb, c.arguments, c.result, c.proretset)
        """,
    )
    assert differing == []
