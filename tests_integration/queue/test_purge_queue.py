from __future__ import annotations

import psycopg

from tests_integration.fixtures.verbs import Kind, Queue, create_queue, refused, rows, scalar


def test_everything_that_waits_or_runs_goes_and_is_counted(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    queue = Queue(db)
    queue.send_many(3)
    queue.send_many(2, delay="1 hour")
    running = queue.read_one()
    assert scalar(db, "select pgqueue.purge_queue('orders')") == 5
    assert queue.ids() == []
    assert queue.call("delete", msg_id=running.msg_id, receipt=running.receipt) == "gone"
    assert scalar(db, "select pgqueue.purge_queue('orders')") == 0


def test_keys_archive_dead_letters_and_other_queues_stay(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    create_queue(db, "other", kind)
    queue = Queue(db)
    kept = Queue(db, "other").send()
    keyed = queue.send(key="k")
    archived, buried = queue.send_many(2)
    queue.call("archive", msg_id=archived)
    queue.call("bury", msg_id=buried, reason="x")
    assert scalar(db, "select pgqueue.purge_queue('orders')") == 1
    assert queue.send(key="k") == keyed
    assert [letter.msg_id for letter in queue.dead()] == [buried]
    assert [row.msg_id for row in rows(db, "select msg_id from pgqueue.a_orders")] == [archived]
    assert Queue(db, "other").ids() == [kept]


def test_ids_go_on(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    last = Queue(db).send_many(3)[-1]
    scalar(db, "select pgqueue.purge_queue('orders')")
    assert Queue(db).send() > last


def test_purge_that_is_rolled_back_loses_nothing(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind)
    sent = Queue(db).send_many(3)
    db.execute("begin")
    assert scalar(db, "select pgqueue.purge_queue('orders')") == 3
    db.execute("rollback")
    assert Queue(db).ids() == sent


def test_unknown_queue_is_refused(db: psycopg.Connection) -> None:
    refused("PQ001", lambda: scalar(db, "select pgqueue.purge_queue('nothing')"))
