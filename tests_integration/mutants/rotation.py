"""When a side of the log may be truncated."""

from __future__ import annotations

import psycopg

from tests_integration.fixtures.verbs import Queue, scalar
from tests_integration.mutants.guards import Guard
from tests_integration.mutants.planting import mutant
from tests_integration.mutants.scene import STRETCH, BrokenError, Scene, promise

PATIENT = "'20s'"


def _leave_side(scene: Scene) -> Queue:
    """Let the first side have one acked message and one whose sender is open, and queue and cursor go over; return the sender."""
    scene.queue.rows("delete_batch", msg_ids=[message.msg_id for message in scene.lend()])
    scene.queue.rows("maintain")
    sender = scene.session()
    sender.connection.execute("begin")
    sender.send()
    scene.go_to(STRETCH)
    scene.queue.rows("delete_batch", msg_ids=[message.msg_id for message in scene.lend()])
    return sender


def message_that_is_committed_before_the_lock_is_had_survives(scene: Scene) -> None:
    sender = _leave_side(scene)
    scene.edit("rotate", "'50ms'", PATIENT)
    rotating = scene.start_blocked(scene.session(), lambda queue: queue.rows("maintain"))
    sender.connection.execute("commit")
    rotating.result()
    promise(2 in scene.drain(), "a message that was sent was truncated")


def open_sender_is_not_waited_for(scene: Scene) -> None:
    _leave_side(scene)
    sweeper = scene.session()
    sweeper.connection.execute("set statement_timeout = '2s'")
    try:
        sweeper.rows("maintain")
    except psycopg.errors.QueryCanceled as error:
        raise BrokenError("rotate waits for a sender, and everybody for rotate") from error


def side_is_truncated_when_all_of_it_is_acked(scene: Scene) -> None:
    _leave_side(scene).connection.execute("rollback")
    scene.queue.rows("maintain")
    promise(scalar(scene.control, "select pg_relation_size('pgqueue.l_x')") == 0, "no space was given back")


def what_a_dump_may_still_come_to_is_not_truncated(scene: Scene) -> None:
    sender = _leave_side(scene)
    sender.connection.execute("commit")
    dump = scene.session().connection
    dump.execute("set application_name = 'pg_dump'")
    dump.execute("begin isolation level repeatable read")
    dump.execute("select")
    assert scene.queue.call("delete", msg_id=2) == "done"
    scene.queue.rows("maintain")
    promise(
        scalar(dump, "select count(*) from pgqueue.l_x") == 1, "a dump misses what was there when it began"
    )


def side_with_messages_is_not_even_locked(scene: Scene) -> None:
    scene.lend()
    scene.go_to(STRETCH)
    scene.lend()
    reader = scene.session()
    reader.connection.execute("begin")
    reader.connection.execute("select from pgqueue.l_x")
    scene.edit("rotate", "'50ms'", PATIENT)
    sweeping = scene.start(scene.session(), lambda queue: queue.rows("maintain"))
    waits = sweeping.running
    reader.connection.execute("commit")
    sweeping.result()
    promise(not waits, "rotate asks for the lock of a side that still has messages")


GUARDS = (
    Guard(
        15,
        message_that_is_committed_before_the_lock_is_had_survives,
        (
            mutant(
                "no second look",
                "rotate",
                "raise exception using errcode = 'UNDO0';",
                "perform 1;",
            ),
            mutant(
                "second look before the lock", "rotate", "lock table pgqueue.l_x in access exclusive mode;"
            ),
        ),
    ),
    Guard(15, open_sender_is_not_waited_for, (mutant("any wait for the lock", "rotate", "'50ms'", "'0'"),)),
    Guard(
        15,
        side_with_messages_is_not_even_locked,
        (
            mutant(
                "no first look", "rotate", "if exists (select from pgqueue.l_x) then return false; end if;"
            ),
        ),
    ),
    Guard(
        15,
        side_is_truncated_when_all_of_it_is_acked,
        (mutant("nothing is truncated", "rotate", "truncate pgqueue.l_x;"),),
    ),
    Guard(
        15,
        what_a_dump_may_still_come_to_is_not_truncated,
        (
            mutant(
                "a running dump not looked for",
                "rotate",
                "a.application_name like",
                "false and a.application_name like",
            ),
        ),
    ),
)
