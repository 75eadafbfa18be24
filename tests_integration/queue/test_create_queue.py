from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    KINDS,
    Background,
    Kind,
    Queue,
    create_queue,
    refused,
    rows,
    scalar,
)
from tests_integration.queue.settings import BAD_SETTINGS


def queues(db: psycopg.Connection) -> list[str]:
    return [row.queue for row in rows(db, "select queue from pgqueue.queues order by queue")]


def test_created_queue_is_listed_with_its_effective_settings(
    db: psycopg.Connection, clock: Clock, kind: Kind
) -> None:
    create_queue(db, "orders", kind, vt=40, backoff={"cap": 10})
    (made,) = rows(db, "select * from pgqueue.list_queues()")
    assert (made.queue, made.kind, made.created_at, made.depth) == ("orders", kind, START, 0)
    assert made.settings == {
        "vt": 40,
        "health_stale": 60,
        "max_reads": 5,
        "repark_seconds": 300,
        "repark_budget": 5,
        "unknown_grace": 600,
        "backoff": {"base": 1, "factor": 2, "cap": 10, "jitter": 0.2},
        "batch": 100,
        "archive": False,
        "retention": 604800,
        "dead_retention": 0,
        "durability": "safe",
        "ack_commit": "async",
        "payload_limit": 1048576,
        "key_window": 86400,
        "rate_limit": 0,
        "rate_burst": 0,
        "max_in_flight": 0,
        "max_in_flight_per_key": 0,
    }


def test_same_call_again_changes_nothing(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind, vt=40)
    sent = Queue(db).send()
    create_queue(db, "orders", kind, vt=40)
    create_queue(db, "orders", kind, vt=40.0, max_reads=5)
    assert Queue(db).ids() == [sent]


def test_kind_is_never_altered_in_silence(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    sent = Queue(db).send()
    refused("PQ004", lambda: create_queue(db, "orders", "log" if kind == "row" else "row"))
    assert (Queue(db).metrics().kind, Queue(db).ids()) == (kind, [sent])


def test_other_settings_are_refused_and_never_altered_in_silence(db: psycopg.Connection) -> None:
    create_queue(db, "orders", vt=40)
    error = refused("PQ004", lambda: create_queue(db, "orders", vt=41, health_stale=100))
    assert error.diag.message_hint
    refused("PQ004", lambda: create_queue(db, "orders"))
    assert Queue(db).metrics().settings["vt"] == 40


def test_unknown_kind_is_refused(db: psycopg.Connection) -> None:
    refused("PQ002", lambda: db.execute("select pgqueue.create_queue('orders', 'heap')"))
    assert queues(db) == []


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_ten_sessions_creating_five_queues_at_once_make_five(
    database: Database, db: psycopg.Connection, isolation: str, kind: Kind
) -> None:
    sessions = [database.connect() for _ in range(10)]
    for session in sessions:
        session.execute(f"set default_transaction_isolation = '{isolation}'".encode())
    names = [f"q{n}" for n in range(5)]

    def create_all(session: psycopg.Connection) -> int:
        for name in names:
            while True:
                try:
                    create_queue(session, name, kind)
                    break
                except psycopg.errors.SerializationFailure:
                    assert isolation != "read committed"
        return 1

    running = [Background(lambda s=session: create_all(s)) for session in sessions]  # type: ignore[misc]
    assert sum(call.result() for call in running) == 10
    assert queues(db) == names


def test_create_that_is_rolled_back_leaves_nothing(db: psycopg.Connection, kind: Kind) -> None:
    db.execute("begin")
    create_queue(db, "orders", kind)
    db.execute("rollback")
    assert queues(db) == []
    assert scalar(db, "select count(*) from pg_class where relname like '%\\_orders%'") == 0
    assert scalar(db, "select count(*) from pg_proc where proname like '%\\_\\_orders'") == 0


def test_views_over_all_queues_show_each_queue_once(db: psycopg.Connection) -> None:
    for name, kind in (("b", KINDS[0]), ("a", KINDS[1]), ("c", KINDS[0])):
        create_queue(db, name, kind)
        Queue(db, name).send({"of": name})
    seen = rows(db, "select queue, message from pgqueue.messages order by queue")
    assert [(row.queue, row.message) for row in seen] == [(name, {"of": name}) for name in "abc"]


NEIGHBOURS = [
    ("orders", "orders_claim"),
    ("orders", "orders_pkey"),
    ("orders", "orders_group"),
    ("orders", "orders_expiry"),
    ("orders", "orders_age"),
    ("orders", "orders_waiting"),
    ("orders", "q_orders"),
    ("orders", "r_orders"),
    ("orders", "a_orders"),
    ("orders", "ix_r_orders_claim"),
    ("b", "a__b"),
    ("b", "send__b"),
    ("b", "batch__b"),
    ("c", "a__template_queue"),
    ("c", "template_queue_c"),
    ("c", "my_template_queue"),
    ("queue", "queues"),
    ("orders", "l_orders"),
    ("orders", "m_orders"),
    ("orders", "c_orders"),
    ("orders", "h_orders"),
    ("orders", "row_orders"),
    ("b", "row_send__b"),
    ("template_queue_c", "template_log_c"),
    ("messages", "message"),
]


@pytest.mark.parametrize("pair", NEIGHBOURS, ids="+".join)
@pytest.mark.parametrize("turned", [False, True])
def test_no_two_names_are_in_each_others_way(
    db: psycopg.Connection, pair: tuple[str, str], turned: bool, kind: Kind
) -> None:
    one, other = reversed(pair) if turned else pair
    create_queue(db, one, "log")
    create_queue(db, other, kind, vt=7)
    create_queue(db, "third")
    sent = {name: Queue(db, name).send({"of": name}, key="k") for name in (one, other)}
    for name, msg_id in sent.items():
        message = Queue(db, name, "through its clone").read_one()
        assert (message.msg_id, message.message) == (msg_id, {"of": name})
    assert scalar(db, "select pgqueue.drop_queue(%s, true)", one) is True
    assert queues(db) == sorted([other, "third"])
    assert Queue(db, other, "through its clone").call("delete", msg_id=sent[other]) == "done"
    clones = rows(db, "select proname from pg_proc where proname ~ '^send__' order by 1")
    expected = {f"send__{name}" for name in (other, "third", "template_queue", "template_log")}
    assert {row.proname for row in clones} == expected


@pytest.mark.parametrize(
    "name",
    ["a", "x" * 47, "a1_", "select", "user", "pg_class", "public", "con", "table", "null"],
)
def test_reserved_words_and_extremes_are_plain_names(db: psycopg.Connection, name: str, kind: Kind) -> None:
    create_queue(db, name, kind)
    for way in ("by name", "through its clone"):
        queue = Queue(db, name, way)
        queue.send(key="k")
        message = queue.read_one()
        assert queue.outcomes("release_batch", msg_ids=[message.msg_id]) == {message.msg_id: "done"}
        assert queue.outcomes("archive_batch", msg_ids=[message.msg_id]) == {message.msg_id: "done"}
        db.execute("delete from pgqueue.k_" + name)
    assert queues(db) == [name]
    assert scalar(db, "select pgqueue.drop_queue(%s)", name) is True


def test_longest_names_that_differ_at_the_end_are_two_queues(db: psycopg.Connection, kind: Kind) -> None:
    for end in "ab":
        create_queue(db, "x" * 46 + end, kind)
        Queue(db, "x" * 46 + end).send({"of": end})
    assert [Queue(db, "x" * 46 + end).read_one().message["of"] for end in "ab"] == ["a", "b"]


@pytest.mark.parametrize("settings", BAD_SETTINGS, ids=str)
def test_bad_settings_make_no_queue(db: psycopg.Connection, settings: dict[str, object]) -> None:
    error = refused("PQ002", lambda: create_queue(db, "orders", "row", **settings))
    assert error.diag.message_hint
    assert "health_stale" in str(error) or next(iter(settings)).split(";")[0] in str(error)
    assert queues(db) == []


@pytest.mark.parametrize("settings", ["[]", "5", '"vt"', "null", "true"])
def test_settings_that_are_no_object_make_no_queue(db: psycopg.Connection, settings: str) -> None:
    refused("PQ002", lambda: db.execute("select pgqueue.create_queue('orders', settings => %s)", [settings]))
    assert queues(db) == []


@pytest.mark.parametrize("name", ["max_reads", "repark_budget", "batch", "payload_limit"])
def test_whole_numbers_written_with_a_point_never_break_a_queue(
    db: psycopg.Connection, name: str, kind: Kind
) -> None:
    settings: dict[str, Any] = {name: 5.0}
    refused("PQ002", lambda: create_queue(db, "a", kind, **settings))
    create_queue(db, "b", kind)
    refused("PQ002", lambda: db.execute("select pgqueue.configure_queue('b', %s)", [Jsonb({name: 5.0})]))
    assert Queue(db, "b").send() == 1


def test_very_small_and_fractional_durations_reach_the_functions(
    db: psycopg.Connection, clock: Clock, kind: Kind
) -> None:
    create_queue(db, "orders", kind, vt=0.15)
    Queue(db).send()
    assert (Queue(db).read_one().vt - START).total_seconds() == 0.15
