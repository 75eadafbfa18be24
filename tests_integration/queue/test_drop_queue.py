from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.verbs import Kind, Queue, create_queue, refused, rows, scalar

LEFT = """
select c.relname::text from pg_class c
where c.relnamespace = 'pgqueue'::regnamespace and c.relname ~ 'orders'
union all
select p.proname::text from pg_proc p
where p.pronamespace = 'pgqueue'::regnamespace and p.proname ~ 'orders'"""


def drop(db: psycopg.Connection, name: str = "orders", force: bool | None = None) -> object:
    if force is None:
        return scalar(db, "select pgqueue.drop_queue(%s)", name)
    return scalar(db, "select pgqueue.drop_queue(%s, force => %s)", name, force)


def test_dropped_queue_leaves_nothing_behind(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "keep")
    create_queue(db, "orders", kind)
    assert drop(db) is True
    assert rows(db, LEFT) == []
    assert [row.queue for row in rows(db, "select queue from pgqueue.queues")] == ["keep"]
    assert rows(db, "select * from pgqueue.messages union all select * from pgqueue.messages") == []
    refused("PQ001", lambda: Queue(db).send())
    refused("42883", lambda: Queue(db, "orders", "through its clone").send())


@pytest.mark.parametrize("name", ["orders", "Bad Name", "", None, "template_queue"])
def test_queue_that_is_not_there_answers_false(db: psycopg.Connection, name: str | None) -> None:
    assert scalar(db, "select pgqueue.drop_queue(%s)", name) is False


@pytest.mark.parametrize("held", ["ready", "delayed", "in flight", "dead"])
def test_queue_that_holds_something_needs_force(db: psycopg.Connection, held: str, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    queue = Queue(db)
    sent = queue.send({}, **({"delay": "1 hour"} if held == "delayed" else {}))
    if held == "in flight":
        queue.read_one()
    elif held == "dead":
        queue.call("bury", msg_id=sent, reason="x")
    for force in (None, False):
        refused("PQ005", lambda force=force: drop(db, force=force))  # type: ignore[misc]
    assert len(queue.ids()) + len(queue.dead()) == 1
    assert drop(db, force=True) is True


def test_archive_and_redriven_dead_letters_do_not_hold_a_queue(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    queue = Queue(db)
    buried, archived = queue.send_many(2)
    queue.call("bury", msg_id=buried, reason="x")
    ((_, new),) = queue.rows("redrive")
    queue.call("archive", msg_id=archived)
    queue.call("delete", msg_id=new)
    assert drop(db) is True


def test_ids_go_on_above_the_high_water_mark_of_the_dropped_queue(db: psycopg.Connection, kind: Kind) -> None:
    highest = 0
    for _ in range(3):
        create_queue(db, "orders", kind)
        sent = Queue(db).send_many(3)
        assert sent[0] > highest
        highest = sent[-1]
        drop(db, force=True)


def test_high_water_mark_counts_ids_that_were_rolled_back_or_deleted(
    db: psycopg.Connection, kind: Kind
) -> None:
    create_queue(db, "orders", kind)
    db.execute("begin")
    lost = Queue(db).send_many(10)[-1]
    db.execute("rollback")
    drop(db)
    create_queue(db, "orders", kind)
    assert Queue(db).send() > lost


def test_receipt_and_key_of_the_old_queue_fit_nothing_in_the_new_one(
    db: psycopg.Connection, kind: Kind
) -> None:
    create_queue(db, "orders", kind)
    old_id = Queue(db).send(key="k")
    old = Queue(db).read_one()
    drop(db, force=True)
    create_queue(db, "orders", kind)
    new_id = Queue(db).send(key="k")
    Queue(db).read_one()
    assert new_id > old_id
    assert Queue(db).call("delete", msg_id=old_id, receipt=old.receipt) == "gone"
    assert Queue(db).call("delete", msg_id=new_id, receipt=old.receipt) == "stale"


def test_session_that_used_the_old_queue_uses_the_new_one(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    queue = Queue(db, "orders", "through its clone")
    for _ in range(7):
        queue.send(key="k")
        queue.read()
    drop(db, force=True)
    create_queue(db, "orders", kind)
    sent = queue.send(key="k")
    assert queue.read_one().msg_id == sent


def test_drop_that_is_rolled_back_loses_nothing(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    sent = Queue(db).send()
    db.execute("begin")
    drop(db, force=True)
    db.execute("rollback")
    assert Queue(db, "orders", "through its clone").read_one().msg_id == sent


def test_drop_and_create_in_one_transaction_make_a_fresh_queue(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    old = Queue(db).send()
    with db.transaction():
        drop(db, force=True)
        create_queue(db, "orders", kind)
        assert Queue(db).send() > old
    assert len(Queue(db).ids()) == 1
