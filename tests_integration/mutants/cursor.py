"""How the cursor moves: one reader at a time, over what is visible, for microseconds."""

from __future__ import annotations

import psycopg

from tests_integration.mutants.guards import Guard
from tests_integration.mutants.planting import Edit, Mutant, mutant
from tests_integration.mutants.scene import STRETCH, Scene, expected_to_run, ids, promise

TAKE_LOCK = (
    "for v_try in 1 .. c_tries loop exit when pg_try_advisory_xact_lock(c_lock); if v_try = c_tries then"
    " perform pg_advisory_xact_lock(c_lock); elsif v_try % 20 = 0 then perform pg_sleep(0.001); end if; end loop;"
)
UNDO = "raise exception using errcode = 'UNDO0';"
LEAST = "v_edge := least(v_next | 131071,"
ANY_WIDTH = mutant("claims of any width", "take", LEAST, "v_edge := greatest(v_next | 131071,")
CURSOR_READ = "v_next := v_cursor + 1;"


def two_readers_never_take_the_same_ids(scene: Scene) -> None:
    scene.queue.send_many(2)
    scene.pause("take", after=CURSOR_READ)
    scene.shut_gate()
    readings = [scene.start_blocked(scene.session(), lambda queue: queue.read()) for _ in range(2)]
    scene.open_gate()
    with expected_to_run("both readers get a message"):
        taken = [msg_id for reading in readings for msg_id in ids(reading.result())]
    promise(sorted(taken) == [1, 2], f"two readers took {taken}")


def reader_with_an_open_transaction_stops_nobody(scene: Scene) -> None:
    scene.queue.send_many(2)
    reader, other = scene.session(), scene.session(patience="300ms")
    reader.connection.execute("begin")
    reader.read_one()
    with expected_to_run("another reader goes on"):
        other.read_one()


def reader_cancelled_while_it_takes_stops_nobody(scene: Scene) -> None:
    scene.queue.send()
    scene.pause("take", after=CURSOR_READ)
    reader, other = scene.session(), scene.session(patience="300ms")
    reader.connection.execute("begin; savepoint before")
    scene.shut_gate()
    reading = scene.start_blocked(reader, lambda queue: queue.read())
    scene.control.execute("select pg_cancel_backend(%s)", [reader.connection.info.backend_pid])
    try:
        reading.result()
    except psycopg.errors.QueryCanceled:
        reader.connection.execute("rollback to before")
    scene.open_gate()
    with expected_to_run("another reader goes on"):
        other.read_one()


def message_that_is_being_deleted_is_not_handed_out(scene: Scene) -> None:
    cancelled, other = scene.queue.send_many(2)
    deleter = scene.session()
    deleter.connection.execute("begin")
    assert deleter.call("delete", msg_id=cancelled) == "done"
    promise(ids(scene.session().read(qty=1)) == [other], "a message that was cancelled was handed out")


def message_whose_delete_rolls_back_comes(scene: Scene) -> None:
    (only,) = scene.queue.send_many(1)
    deleter = scene.session()
    deleter.connection.execute("begin")
    assert deleter.call("delete", msg_id=only) == "done"
    assert scene.session().read() == []
    deleter.connection.execute("rollback")
    promise(ids(scene.session().read()) == [only], "a message whose delete rolled back does not come")


def batch_ends_before_a_fresh_gap(scene: Scene) -> None:
    sender = scene.session()
    first = scene.queue.send()
    sender.connection.execute("begin")
    late = sender.send()
    last = scene.queue.send()
    got = ids(scene.queue.read(qty=3))
    sender.connection.execute("commit")
    got += ids(scene.queue.read(qty=3))
    promise(got == [first, late, last], f"read in the order {got}")


def gap_that_comes_first_is_not_waited_for(scene: Scene) -> None:
    late, other = scene.session(), scene.session()
    late.connection.execute("begin")
    late.send()
    other.connection.execute("begin")
    sent = scene.queue.send()
    other.send()
    scene.queue.send()
    promise(ids(scene.queue.read(qty=3)) == [sent], "a young gap before the first message stops the queue")


def claim_is_no_wider_than_who_looks_for_it(scene: Scene) -> None:
    scene.queue.send()
    scene.control.execute("select setval('pgqueue.s_x', 15000)")
    far = scene.queue.send()
    scene.clock.advance(1)
    messages = scene.queue.read(qty=2)
    if len(messages) < 2:
        messages += scene.queue.read()
    assert ids(messages) == [1, far]
    outcome = scene.queue.call("delete", msg_id=far, receipt=messages[1].receipt)
    promise(outcome == "done", f"an ack with its receipt is {outcome}")


def read_goes_over_the_edge_of_a_side(scene: Scene) -> None:
    scene.go_to(STRETCH - 2)
    sent = [scene.queue.send() for _ in range(4)]
    got = ids(scene.queue.read(qty=5))
    promise(got == sent, f"of {sent} one read handed out {got}")


def batch_sent_over_the_edge_of_a_side_is_found_there(scene: Scene) -> None:
    scene.go_to(STRETCH - 2)
    sent = scene.queue.send_many(4)
    scene.clock.advance(1)
    got = set(scene.drain())
    promise(got == set(sent), f"of {sent} there came {got}")


def id_is_never_drawn_long_before_it_is_used(scene: Scene) -> None:
    one, two = scene.session(), scene.session()
    one.send()
    two.send()
    scene.clock.advance(1)
    scene.queue.rows("delete_batch", msg_ids=ids(scene.queue.read(qty=5)))
    scene.queue.rows("maintain")
    scene.clock.advance(31)
    scene.queue.rows("maintain")
    promise(one.send() in scene.drain(), "a message whose id was drawn long before never came")


def cursor_never_goes_back(scene: Scene) -> None:
    sender = scene.session()
    sender.connection.execute("begin")
    sender.send()
    sender.connection.execute("rollback")
    scene.edit("skip_rolled_back", "perform setval(", "perform pgqueue_test.pause(); perform setval(")
    scene.shut_gate()
    sweeping = scene.start_blocked(scene.session(), lambda queue: queue.rows("maintain"))
    sent = scene.queue.send()
    reading = scene.start(scene.session(), lambda queue: queue.read())
    scene.open_gate()
    sweeping.result()
    assert ids(reading.result()) == [sent]
    with expected_to_run("a read of an empty queue works"):
        promise(scene.session().read() == [], "a message was handed out twice")


def cursor_that_moved_since_the_mark_never_goes_back(scene: Scene) -> None:
    sender = scene.session()
    sender.connection.execute("begin")
    sender.send()
    scene.queue.rows("maintain")
    sender.connection.execute("rollback")
    sent = scene.queue.send()
    assert ids(scene.queue.read()) == [sent]
    scene.queue.rows("maintain")
    with expected_to_run("a read of an empty queue works"):
        promise(scene.session().read() == [], "a message was handed out twice")


def ids_that_came_to_light_since_the_mark_are_not_passed(scene: Scene) -> None:
    sender = scene.session()
    sender.connection.execute("begin")
    sent = sender.send()
    scene.queue.rows("maintain")
    sender.connection.execute("commit")
    scene.queue.rows("maintain")
    promise(sent in scene.drain(), "a message that was sent never came")


GUARDS = (
    Guard(
        5,
        cursor_that_moved_since_the_mark_never_goes_back,
        (
            mutant(
                "rolled back ids passed wherever the cursor is",
                "skip_rolled_back",
                "pg_sequence_last_value('pgqueue.u_x'::regclass) = mark and",
            ),
        ),
    ),
    Guard(
        7,
        ids_that_came_to_light_since_the_mark_are_not_passed,
        (
            mutant(
                "rolled back ids passed unseen",
                "skip_rolled_back",
                "and not exists (select from pgqueue.l_x l where l.msg_id > mark and l.msg_id <= mark_last)",
            ),
        ),
    ),
    Guard(
        2,
        id_is_never_drawn_long_before_it_is_used,
        (Mutant("ids cached", (), "alter sequence pgqueue.s_x cache 10"),),
    ),
    Guard(
        4, batch_ends_before_a_fresh_gap, (mutant("fresh gaps stepped over", "take", "'50 ms'", "'-1 s'"),)
    ),
    Guard(
        4,
        gap_that_comes_first_is_not_waited_for,
        (
            mutant(
                "also waits for a gap that comes first",
                "take",
                "pgqueue.gaps__x(v_ids[1] || v_ids)",
                "pgqueue.gaps__x(v_cursor || v_ids)",
            ),
        ),
    ),
    Guard(5, two_readers_never_take_the_same_ids, (mutant("no take lock", "take", TAKE_LOCK),)),
    Guard(
        5,
        cursor_never_goes_back,
        (
            mutant(
                "rolled back ids passed without the take lock",
                "skip_rolled_back",
                "perform pg_advisory_xact_lock(pgqueue.take_lock('x'));",
            ),
        ),
    ),
    Guard(
        6,
        reader_with_an_open_transaction_stops_nobody,
        (
            mutant(
                "take lock held to the commit",
                "take",
                "begin -- The subtransaction",
                f"{TAKE_LOCK} begin -- The subtransaction",
            ),
        ),
    ),
    Guard(
        6,
        reader_cancelled_while_it_takes_stops_nobody,
        (
            mutant(
                "take lock of the session, given up at the end",
                "take",
                TAKE_LOCK,
                "perform pg_advisory_lock(c_lock);",
                Edit("take", UNDO, f"perform pg_advisory_unlock(c_lock); {UNDO}"),
            ),
        ),
    ),
    Guard(
        19,
        read_goes_over_the_edge_of_a_side,
        (mutant("a claim over both sides", "take", LEAST, "v_edge := greatest(v_next + 4,"),),
    ),
    Guard(
        19,
        batch_sent_over_the_edge_of_a_side_is_found_there,
        (mutant("sides not changed", "send_batch", "perform pgqueue.change_sides__x(v_next | 131071);"),),
    ),
    Guard(
        21,
        message_that_is_being_deleted_is_not_handed_out,
        (mutant("xmax not looked at", "take", "and l.xmax = 0"),),
    ),
    Guard(
        21,
        message_whose_delete_rolls_back_comes,
        (mutant("rows with an xmax passed over for ever", "take", "l.xmax <> 0", "false"),),
    ),
    Guard(
        22,
        claim_is_no_wider_than_who_looks_for_it,
        (ANY_WIDTH,),
    ),
)
