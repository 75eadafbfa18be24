"""When may sweep take a message for one that nobody holds, and an id for one that will never come?"""

from __future__ import annotations

from tests_integration.mutants.guards import Guard
from tests_integration.mutants.planting import Edit, mutant
from tests_integration.mutants.scene import Scene, expected_to_run, ids, promise

HORIZON_TEST = "exit when pg_snapshot_xmin(pg_current_snapshot()) < v_mark_xid;"
NO_HORIZON = mutant("horizon test left out", "sweep", HORIZON_TEST)
XMAX_FOR_FRESH_XID = mutant(
    "a snapshot's xmax for a fresh xid",
    "fresh_xid",
    "return pg_current_xact_id();",
    "return pg_snapshot_xmax(pg_current_snapshot());",
)


def id_drawn_by_a_sender_that_has_not_inserted_is_not_passed(scene: Scene) -> None:
    scene.lend()  # a sequence that is called for the first time gives its caller an xid, to log it
    scene.pause("send", after="v_id := nextval('pgqueue.s_x');")
    scene.shut_gate()
    sending = scene.start_blocked(scene.session(), lambda queue: queue.send())
    scene.session().rows("maintain")
    scene.open_gate()
    promise(sending.result() in scene.drain(), "a message that was sent never came")


def ids_drawn_by_a_batch_that_has_not_inserted_are_not_passed(scene: Scene) -> None:
    scene.lend()
    scene.edit(
        "send_batch",
        "select nextval('pgqueue.s_x'), v_now",
        "select nextval('pgqueue.s_x') + pgqueue_test.pause(), v_now",
    )
    scene.shut_gate()
    sending = scene.start_blocked(scene.session(), lambda queue: queue.send_many(1))
    scene.session().rows("maintain")
    scene.open_gate()
    promise(sending.result()[0] in scene.drain(), "a message that was sent never came")


def id_of_an_open_sender_is_not_passed(scene: Scene) -> None:
    sender = scene.session()
    sender.connection.execute("begin")
    sent = sender.send()
    assert scene.session().read() == []
    sender.connection.execute("commit")
    promise(ids(scene.session().read()) == [sent], "a message that was sent does not come")


def reader_that_moved_the_cursor_but_has_no_claim_yet_is_seen(scene: Scene) -> None:
    scene.queue.send()
    scene.pause("read", after="v_got := cardinality(v_ids) - 1;")
    scene.shut_gate()
    reading = scene.start_blocked(scene.session(), lambda queue: queue.read())
    other = scene.session()
    other.connection.execute("begin")
    second = ids(other.read())
    scene.open_gate()
    first = ids(reading.result())
    other.connection.execute("commit")
    promise(len(first + second) == 1, f"handed out to two readers: {first} and {second}")


def reader_between_the_mark_and_the_xid_is_seen(scene: Scene) -> None:
    scene.queue.send()
    scene.edit("sweep", "v_mark_last := greatest(", "perform pgqueue_test.pause(); v_mark_last := greatest(")
    scene.shut_gate()
    sweeping = scene.start_blocked(scene.session(), lambda queue: queue.rows("maintain"))
    reader = scene.session()
    reader.connection.execute("begin")
    reader.read_one()
    scene.open_gate()
    sweeping.result()
    promise(scene.session().read() == [], "an open reader's message was handed out again")


def message_of_an_open_reader_is_no_orphan(scene: Scene) -> None:
    scene.queue.send()
    reader = scene.session()
    reader.connection.execute("begin")
    reader.read_one()
    promise(scene.session().read() == [], "an open reader's message was handed out again")


def sweep_in_an_older_transaction_sees_a_younger_reader(scene: Scene) -> None:
    scene.queue.send()
    older, reader = scene.session(), scene.session()
    older.connection.execute("begin")
    older.connection.execute("select pg_current_xact_id()")
    reader.connection.execute("begin")
    reader.read_one()
    promise(older.read() == [], "an open reader's message was handed out again")


def sweep_that_rolls_back_forgets_nothing(scene: Scene) -> None:
    orphan = scene.leave_orphan()
    sweeper = scene.session()
    sweeper.connection.execute("begin")
    assert sweeper.rows("maintain")[0].moved == 1
    sweeper.connection.execute("rollback")
    promise(orphan in scene.drain(), "an orphan whose sweep rolled back never came")


def orphan_that_somebody_locks_is_looked_at_again(scene: Scene) -> None:
    orphan = scene.leave_orphan()
    deleter, sweeper = scene.session(), scene.session(patience="300ms")
    deleter.connection.execute("begin")
    deleter.call("delete", msg_id=orphan)
    with expected_to_run("sweep passes over a locked message"):
        sweeper.rows("maintain")
    deleter.connection.execute("rollback")
    promise(orphan in scene.drain(), "an orphan that was locked for a moment never came")


def empty_read_on_an_old_snapshot_does_not_fail(scene: Scene) -> None:
    orphan = scene.leave_orphan()
    old = scene.session()
    old.connection.execute("begin isolation level repeatable read")
    old.connection.execute("select")
    assert scene.session().read_one().msg_id == orphan
    with expected_to_run("a read under REPEATABLE READ leaves sweeping alone"):
        promise(old.read() == [], "handed out twice")


def reader_that_rolled_back_has_perhaps_handed_out(scene: Scene) -> None:
    scene.leave_orphan()
    message = scene.session().read_one()
    promise(
        (message.read_ct, message.release_ct) == (2, 1),
        f"read {message.read_ct}, released {message.release_ct} times",
    )


MARK = "v_mark := pg_sequence_last_value('pgqueue.u_x'::regclass);"

GUARDS = (
    Guard(
        1,
        id_drawn_by_a_sender_that_has_not_inserted_is_not_passed,
        (mutant("send: xid after the id", "send", "perform pg_current_xact_id();"),),
    ),
    Guard(
        1,
        ids_drawn_by_a_batch_that_has_not_inserted_are_not_passed,
        (mutant("send_batch: xid after the ids", "send_batch", "v_xid := pg_current_xact_id();"),),
    ),
    Guard(
        5,
        reader_that_moved_the_cursor_but_has_no_claim_yet_is_seen,
        (
            # A sequence that is logged gives whoever moves it an xid before it does.
            mutant(
                "take: xid after the cursor",
                "take",
                "v_xid := pg_current_xact_id();",
                sql="alter sequence pgqueue.u_x set unlogged",
            ),
        ),
    ),
    Guard(
        7,
        reader_between_the_mark_and_the_xid_is_seen,
        (
            mutant(
                "xid before the mark",
                "sweep",
                "v_mark_xid := pgqueue.fresh_xid__x();",
                "",
                Edit("sweep", MARK, "v_mark_xid := pgqueue.fresh_xid__x(); v_mark := 0;"),
                Edit("sweep", "exit when v_mark <= v_done and", f"{MARK} exit when v_mark <= v_done and"),
            ),
        ),
    ),
    Guard(7, message_of_an_open_reader_is_no_orphan, (NO_HORIZON, XMAX_FOR_FRESH_XID)),
    Guard(
        7,
        id_of_an_open_sender_is_not_passed,
        (
            NO_HORIZON,
            XMAX_FOR_FRESH_XID,
            mutant(
                "rolled back ids passed before the horizon is",
                "sweep",
                HORIZON_TEST,
                f"if pgqueue.skip_rolled_back__x(v_mark, v_mark_last) then v_done := v_mark_last; end if; {HORIZON_TEST}",
            ),
        ),
    ),
    Guard(
        7,
        sweep_in_an_older_transaction_sees_a_younger_reader,
        (
            mutant(
                "the transaction's own xid, whatever its age",
                "fresh_xid",
                "if v_top is null then",
                "if true then",
            ),
        ),
    ),
    Guard(
        8,
        sweep_that_rolls_back_forgets_nothing,
        (
            mutant(
                "how far sweep has looked in a sequence",
                "sweep",
                "v_done := v_old.done;",
                "v_done := greatest(v_old.done, pg_sequence_last_value('pgqueue_test.done'));",
                Edit(
                    "sweep",
                    "v_done := greatest(v_done, v_to);",
                    "v_done := setval('pgqueue_test.done', greatest(v_done, v_to));",
                ),
                sql="create sequence pgqueue_test.done minvalue 0",
            ),
        ),
    ),
    Guard(
        8,
        orphan_that_somebody_locks_is_looked_at_again,
        (
            mutant(
                "locked orphans counted as done",
                "sweep",
                "least(v_to, (select min(o.id) - 1 from",
                "least(v_to, (select v_to from",
            ),
            mutant("set_aside waits for locks", "set_aside", "for update skip locked", "for update"),
        ),
    ),
    Guard(
        16,
        empty_read_on_an_old_snapshot_does_not_fail,
        (
            mutant(
                "sweep on an old snapshot",
                "sweep",
                "current_setting('transaction_isolation') <> 'read committed'",
                "false",
            ),
        ),
    ),
    Guard(
        17,
        reader_that_rolled_back_has_perhaps_handed_out,
        (
            mutant(
                "orphans carry no read",
                "sweep",
                "pgqueue.set_aside__x(v_orphans, v_now, 1)",
                "pgqueue.set_aside__x(v_orphans, v_now, 0)",
            ),
        ),
    ),
)
