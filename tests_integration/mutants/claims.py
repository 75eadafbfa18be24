"""What a claim guards: whose messages are whose, until when, and what becomes of them after."""

from __future__ import annotations

from tests_integration.fixtures.verbs import scalar
from tests_integration.mutants.guards import Guard
from tests_integration.mutants.planting import mutant
from tests_integration.mutants.scene import Scene, expected_to_run, ids, promise


def message_that_was_read_is_not_handed_out_before_its_vt(scene: Scene) -> None:
    scene.lend()
    scene.clock.advance(29)
    promise(scene.session().read() == [], "a lease was not respected")


def only_claims_that_ran_out_lapse(scene: Scene) -> None:
    (short,) = scene.lend(vt="1 s")
    scene.lend(vt="60 s")
    scene.clock.advance(2)
    promise(ids(scene.session().read(qty=5)) == [short.msg_id], "a lease was not respected")
    claims = scalar(scene.control, "select count(*) from pgqueue.c_x")
    promise(claims == 1, "a claim that had not run out was broken up")


def reader_of_lapsed_messages_stops_nobody(scene: Scene) -> None:
    scene.lend()
    scene.clock.advance(31)
    reader, other = scene.session(), scene.session(patience="300ms")
    reader.connection.execute("begin")
    reader.read_one()
    with expected_to_run("another reader passes over the claim"):
        promise(other.read() == [], "handed out twice")


def ack_in_an_open_transaction_stops_nobody(scene: Scene) -> None:
    first, second = scene.lend(2)
    scene.clock.advance(31)
    acker, other = scene.session(), scene.session(patience="300ms")
    acker.connection.execute("begin")
    acker.call("delete", msg_id=first.msg_id, receipt=first.receipt)
    with expected_to_run("a reader passes over a message that is being acked"):
        promise(ids(other.read(qty=2)) == [second.msg_id], "the other message did not come")


def claim_that_is_being_renewed_does_not_lapse(scene: Scene) -> None:
    (message,) = scene.lend(vt="30 s")
    scene.clock.advance(31)
    holder = scene.session()
    holder.connection.execute("begin")
    given = {"msg_ids": [message.msg_id], "receipts": [message.receipt]}
    assert holder.outcomes("set_vt_batch", vt="60 s", **given) == {message.msg_id: "done"}
    with expected_to_run("a reader passes over a claim that is being renewed"):
        promise(scene.session(patience="300ms").read() == [], "a lease that was renewed was not respected")


def receipt_is_good_until_somebody_takes_the_message_again(scene: Scene) -> None:
    messages = scene.lend(2)
    scene.clock.advance(31)
    taken = scene.session().read_one().msg_id
    (other,) = (message for message in messages if message.msg_id != taken)
    outcome = scene.queue.call("delete", msg_id=other.msg_id, receipt=other.receipt)
    promise(outcome == "done", f"an ack in time is {outcome}")


def part_of_a_claim_lapses_and_the_rest_comes_too(scene: Scene) -> None:
    sent = {message.msg_id for message in scene.lend(30)}
    scene.queue.rows("maintain")
    scene.clock.advance(31)
    found = set(ids(scene.session().read()))
    promise(found | set(scene.drain()) == sent, "what was left of a claim never came")


def claims_that_ran_out_keep_their_messages(scene: Scene) -> None:
    (message,) = scene.lend()
    scene.queue.rows("maintain")
    scene.clock.advance(31)
    scene.queue.rows("maintain")
    promise(message.msg_id in scene.drain(), "a message whose lease ran out never came")


def ack_of_a_part_keeps_the_other_leases(scene: Scene) -> None:
    first, _ = scene.lend(2)
    scene.queue.outcomes("delete_batch", msg_ids=[first.msg_id], receipts=[first.receipt])
    promise(scene.session().read() == [], "a lease was not respected")


def ack_of_one_keeps_the_other_leases(scene: Scene) -> None:
    first, _ = scene.lend(2)
    assert scene.queue.call("delete", msg_id=first.msg_id, receipt=first.receipt) == "done"
    promise(scene.session().read() == [], "a lease was not respected")


def renewal_of_a_part_renews_that_part(scene: Scene) -> None:
    first, second = scene.lend(2)
    scene.queue.call("set_vt", msg_id=first.msg_id, vt="600 s", receipt=first.receipt)
    scene.clock.advance(31)
    promise(
        ids(scene.session().read(qty=2)) == [second.msg_id], "the part that was not renewed does not come"
    )


def redelivery_counts_the_first_read(scene: Scene) -> None:
    scene.lend()
    scene.clock.advance(31)
    read_ct = scene.session().read_one().read_ct
    promise(read_ct == 2, f"read_ct of the second delivery is {read_ct}")


def retry_counts_the_read(scene: Scene) -> None:
    (message,) = scene.lend()
    scene.queue.call("retry", msg_id=message.msg_id, delay="0 s", receipt=message.receipt)
    read_ct = scene.session().read_one().read_ct
    promise(read_ct == 2, f"read_ct of the second delivery is {read_ct}")


def message_taken_away_while_it_is_taken_carries_a_read(scene: Scene) -> None:
    msg_id = scene.queue.send()
    scene.edit(
        "take",
        "v_xid := pg_current_xact_id();",
        "perform pgqueue_test.pause(); v_xid := pg_current_xact_id();",
    )
    scene.shut_gate()
    reading = scene.start_blocked(scene.session(), lambda queue: queue.read())
    taker = scene.session()
    taker.connection.execute("begin")
    taking = scene.start(taker, lambda queue: queue.call("retry", msg_id=msg_id, delay="0 s"))
    scene.open_gate()
    assert ids(reading.result()) == [msg_id]
    assert taking.result() == "done"
    taker.connection.execute("commit")
    message = scene.session().read_one()
    promise(
        (message.read_ct, message.release_ct) == (2, 1),
        f"read_ct of the second delivery is {message.read_ct}",
    )


def unread_message_that_is_moved_carries_no_read(scene: Scene) -> None:
    msg_id = scene.queue.send()
    assert scene.queue.call("set_vt", msg_id=msg_id, vt="10 s") == "done"
    scene.clock.advance(11)
    read_ct = scene.session().read_one().read_ct
    promise(read_ct == 1, f"read_ct of the first delivery is {read_ct}")


def renewal_waits_for_nobody(scene: Scene) -> None:
    (message,) = scene.lend()
    scene.clock.advance(31)
    reader, holder = scene.session(), scene.session(patience="300ms")
    reader.connection.execute("begin")
    reader.read_one()
    with expected_to_run("a renewal does not wait for who takes a lease that ran out"):
        given = {"msg_ids": [message.msg_id], "receipts": [message.receipt]}
        assert holder.outcomes("set_vt_batch", vt="60 s", **given) == {message.msg_id: "busy"}


SKIP = "for update skip locked"
CLAIM = "v_ids[1], v_ids[v_got], v_got, v_until, v_receipt, v_now, v_gaps, v_holder"

GUARDS = (
    Guard(
        7,
        message_that_was_read_is_not_handed_out_before_its_vt,
        (mutant("no claim", "read", f"values ({CLAIM});", f"select {CLAIM} where false;"),),
    ),
    Guard(
        10,
        only_claims_that_ran_out_lapse,
        (mutant("vt of a claim not looked at", "lapse", "c.vt <= due and"),),
    ),
    Guard(
        10,
        reader_of_lapsed_messages_stops_nobody,
        (mutant("lapse waits for claims", "lapse", f"limit 1 {SKIP}", "limit 1 for update"),),
    ),
    Guard(
        10,
        ack_in_an_open_transaction_stops_nobody,
        (
            mutant(
                "lapse waits for messages",
                "lapse",
                f"limit qty - v_moved {SKIP}",
                "limit qty - v_moved for update",
            ),
        ),
    ),
    Guard(
        10,
        claim_that_is_being_renewed_does_not_lapse,
        (mutant("lapse does not lock claims", "lapse", f"limit 1 {SKIP}", "limit 1"),),
    ),
    Guard(
        10,
        receipt_is_good_until_somebody_takes_the_message_again,
        (mutant("receipt lost on the way", "lapse", "case when g.claimed then v_claim.receipt end", "null"),),
    ),
    Guard(
        9,
        part_of_a_claim_lapses_and_the_rest_comes_too,
        (
            mutant(
                "claim dropped with its first messages", "lapse", "if not exists (", "if true or not exists ("
            ),
        ),
    ),
    Guard(
        9,
        claims_that_ran_out_keep_their_messages,
        (
            mutant(
                "claims dropped with their messages",
                "maintain",
                "and not exists (select from pgqueue.l_x l where l.msg_id between c.lo and c.hi)",
            ),
        ),
    ),
    Guard(
        9,
        ack_of_a_part_keeps_the_other_leases,
        (mutant("claim dropped with a part", "delete_batch", "cardinality(v_done) = v_claim.qty", "true"),),
    ),
    Guard(
        9,
        ack_of_one_keeps_the_other_leases,
        (mutant("claim dropped with its first", "delete", "c.lo = v_id and c.qty = 1", "c.lo = v_id"),),
    ),
    Guard(
        23,
        renewal_of_a_part_renews_that_part,
        (
            mutant(
                "a part renews all",
                "set_vt_batch",
                "and not exists (select unnest(v_left) except select unnest(v_ids))",
            ),
        ),
    ),
    Guard(
        17,
        redelivery_counts_the_first_read,
        (mutant("lapse carries no read", "lapse", "g.claimed::integer", "0"),),
    ),
    Guard(
        17,
        retry_counts_the_read,
        (mutant("adopt carries no read", "adopt", "(c.lo is not null)::integer", "0"),),
    ),
    Guard(
        17,
        message_taken_away_while_it_is_taken_carries_a_read,
        (
            mutant(
                "adopt without the barrier", "adopt", "perform pg_advisory_xact_lock(pgqueue.take_lock('x'));"
            ),
        ),
    ),
    Guard(
        17,
        unread_message_that_is_moved_carries_no_read,
        (mutant("adopt counts every message as read", "adopt", "and r.msg_id <= v_cursor"),),
    ),
    Guard(
        23,
        renewal_waits_for_nobody,
        (mutant("renewal waits for claims", "set_vt_batch", SKIP, "for update"),),
    ),
)
