from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.verbs import Queue, create_queue, refused, rows, scalar

BAD_NAMES: list[tuple[str | None, str]] = [
    (None, "required"),
    ("", "empty"),
    ("x" * 48, "too long"),
    ("é" * 24, "too long"),
    ("é" * 23, "U+00E9"),
    ("Orders", '"orders"'),
    ("template_queue", "reserved"),
    ("template_log", "reserved"),
    ("1a", "Start with a letter"),
    ("_a", "Start with a letter"),
    ("-x", "U+002D"),
    ("--help", "U+002D"),
    (".", "U+002E"),
    ("a/b", "U+002F"),
    ("a; drop table x;--", "U+003B"),
    ("a'b", "U+0027"),
    ('a"b', "U+0022"),
    ("a$b", "U+0024"),
    ("a%sb", "U+0025"),
    ("a%Ib", "U+0025"),
    ("a%1$s", "U+0025"),
    ("a{b}", "U+007B"),
    ("a\\b", "U+005C"),
    ("a b", "U+0020"),
    (" a", "U+0020"),
    ("a ", "U+0020"),
    ("a\tb", "U+0009"),
    ("a\n", "U+000A"),
    ("a\r\n", "U+000D"),
    ("a\u200bb", "U+200B"),
    ("a\u202eb", "U+202E"),
    ("\u043erders", "U+043E"),
    ("a\U0001f600", "U+1F600"),
]
BY_NAME = {
    "create_queue": "select pgqueue.create_queue(%s)",
    "configure_queue": "select pgqueue.configure_queue(%s, '{}')",
    "purge_queue": "select pgqueue.purge_queue(%s)",
    "peek": "select * from pgqueue.peek(%s)",
    "send": "select pgqueue.send(%s, '1')",
    "send_batch": "select * from pgqueue.send_batch(%s, '{1}')",
    "read": "select * from pgqueue.read(%s)",
    "pop": "select * from pgqueue.pop(%s)",
    "delete": "select pgqueue.delete(%s, 1)",
    "delete_batch": "select * from pgqueue.delete_batch(%s, '{1}')",
    "archive": "select pgqueue.archive(%s, 1)",
    "archive_batch": "select * from pgqueue.archive_batch(%s, '{1}')",
    "release": "select pgqueue.release(%s, 1)",
    "release_batch": "select * from pgqueue.release_batch(%s, '{1}')",
    "set_vt": "select pgqueue.set_vt(%s, 1, '1 s')",
    "set_vt_batch": "select * from pgqueue.set_vt_batch(%s, '{1}', '1 s')",
    "retry": "select pgqueue.retry(%s, 1, '1 s')",
    "retry_batch": "select * from pgqueue.retry_batch(%s, '{1}', '{1 s}')",
    "bury": "select pgqueue.bury(%s, 1, 'x')",
    "bury_batch": "select * from pgqueue.bury_batch(%s, '{1}', '{x}')",
    "redrive": "select * from pgqueue.redrive(%s)",
}


@pytest.mark.parametrize("verb", BY_NAME)
def test_no_verb_takes_a_name_that_breaks_the_rule(orders: Queue, verb: str) -> None:
    relations = "select relname from pg_class order by 1"
    before = rows(orders.connection, relations)
    for name, told in BAD_NAMES:
        error = refused("PQ002", lambda name=name: scalar(orders.connection, BY_NAME[verb], name))  # type: ignore[misc]
        diag = error.diag
        everything = f"{diag.message_primary} {diag.message_detail} {diag.message_hint}"
        assert told in everything, everything
        assert "\n" not in (diag.message_primary or "")
        assert diag.message_hint
    assert rows(orders.connection, relations) == before
    assert orders.look(1).read_ct == 0


@pytest.mark.parametrize("verb", [verb for verb in BY_NAME if verb != "create_queue"])
def test_unknown_queue_is_refused_with_the_nearest_names_and_never_made(orders: Queue, verb: str) -> None:
    error = refused("PQ001", lambda: scalar(orders.connection, BY_NAME[verb], "order"))
    assert "orders" in (error.diag.message_hint or "")
    assert [row.queue for row in rows(orders.connection, "select queue from pgqueue.queues")] == ["orders"]


def test_metrics_take_null_for_all_queues(orders: Queue) -> None:
    assert len(rows(orders.connection, "select * from pgqueue.metrics(null)")) == 1


def test_name_is_never_truncated_into_another(db: psycopg.Connection) -> None:
    create_queue(db, "x" * 47)
    refused("PQ002", lambda: Queue(db, "x" * 48).send())
    refused("PQ002", lambda: Queue(db, "x" * 70).send())


def test_hint_of_an_unknown_queue_quotes_what_it_repeats(db: psycopg.Connection) -> None:
    for name in ("it''s", "a\x1b[31m"):
        error: Any = refused("PQ002", lambda name=name: scalar(db, BY_NAME["send"], name))  # type: ignore[misc]
        assert "\x1b" not in str(error)
