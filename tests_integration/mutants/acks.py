"""An ack finds its message wherever it is, and only with the receipt of the lease."""

from __future__ import annotations

from functools import partial

from tests_integration.fixtures.verbs import Queue
from tests_integration.mutants.guards import Guard
from tests_integration.mutants.planting import Edit, mutant
from tests_integration.mutants.scene import Scene, promise

VERBS = ("delete", "delete_batch")


def _ack(queue: Queue, verb: str, msg_id: int, receipt: int | None) -> str:
    if verb == "delete":
        outcome: str = queue.call("delete", msg_id=msg_id, receipt=receipt)
        return outcome
    receipts = None if receipt is None else [receipt]
    return queue.outcomes("delete_batch", msg_ids=[msg_id], receipts=receipts)[msg_id]


def delete_finds_what_was_read(scene: Scene) -> None:
    for verb in VERBS:
        (message,) = scene.lend()
        outcome = _ack(scene.queue, verb, message.msg_id, message.receipt)
        promise(outcome == "done", f"{verb}: an ack is {outcome}")
        promise(scene.queue.ids() == [], f"{verb}: an acked message is still there")


def delete_finds_what_was_read_again(scene: Scene) -> None:
    for verb in VERBS:
        scene.lend()
        scene.clock.advance(31)
        again = scene.queue.read_one()
        outcome = _ack(scene.queue, verb, again.msg_id, again.receipt)
        promise(outcome == "done", f"{verb}: an ack is {outcome}")
        promise(scene.queue.ids() == [], f"{verb}: an acked message is still there")


def delete_finds_a_message_that_is_on_its_way_to_the_row_side(scene: Scene) -> None:
    for verb in VERBS:
        first, _ = scene.lend(2)
        mover, acker = scene.session(), scene.session()
        mover.connection.execute("begin")
        mover.call("set_vt", msg_id=first.msg_id, vt="60 s", receipt=first.receipt)
        acking = scene.start_blocked(
            acker, partial(_ack, verb=verb, msg_id=first.msg_id, receipt=first.receipt)
        )
        mover.connection.execute("commit")
        outcome = acking.result()
        promise(outcome == "done", f"{verb}: an ack in time is {outcome}")


def other_receipt_acks_nothing_in_the_log(scene: Scene) -> None:
    for verb in VERBS:
        scene.lend(3)
        first, second, _ = scene.lend(3)
        for message in (first, second):
            outcome = _ack(scene.queue, verb, message.msg_id, message.receipt + 1)
            promise(outcome == "stale", f"{verb}: an ack with another receipt is {outcome}")
        mixed = {"msg_ids": [first.msg_id, second.msg_id], "receipts": [first.receipt, second.receipt + 1]}
        outcomes = scene.queue.outcomes("delete_batch", **mixed)
        promise(
            list(outcomes.values()) == ["done", "stale"], f"acks with a right and another receipt: {outcomes}"
        )


def lost_lease_acks_nothing_on_the_row_side(scene: Scene) -> None:
    for verb in VERBS:
        (message,) = scene.lend()
        scene.clock.advance(31)
        scene.session().read_one()
        outcome = _ack(scene.queue, verb, message.msg_id, message.receipt)
        promise(outcome == "stale", f"{verb}: an ack of a lease that somebody else has is {outcome}")
        scene.drain()


def receipt_acks_nothing_that_came_late(scene: Scene) -> None:
    sender, late, messages = scene.leave_gap()
    sender.connection.execute("commit")
    for verb in VERBS:
        outcome = _ack(scene.queue, verb, late, messages[0].receipt)
        promise(outcome == "stale", f"{verb}: the ack of a message that was never handed out is {outcome}")


def lost_lease_gives_nothing_back(scene: Scene) -> None:
    (message,) = scene.lend()
    receipts = [message.receipt + 1]
    outcomes = scene.queue.outcomes("release_batch", msg_ids=[message.msg_id], receipts=receipts)
    assert outcomes == {message.msg_id: "stale"}
    scene.queue.rows("maintain")
    promise(
        scene.queue.look(message.msg_id).state == "in_flight",
        "a release with another receipt ended the lease",
    )
    left = scene.queue.connection.execute("select count(*) from pgqueue.r_x").fetchone()
    promise(left == (0,), "a release with another receipt moved the message")


ROW_DELETE = (
    "delete from pgqueue.r_x r where r.msg_id = v_id and (v_receipt is null or r.receipt = v_receipt);"
)
ROW_BATCH = "delete from pgqueue.r_x r where r.msg_id = any (v_ids)"
IN_GAPS = "and (c.gaps is null or v_id <> all (c.gaps))"
IN_GAPS_OF_BATCH = "and (c.gaps is null or u.id <> all (c.gaps))"

GUARDS = (
    Guard(
        11,
        delete_finds_what_was_read,
        (
            mutant("delete looks on the row side only", "delete", "if v_proven then", "if false then"),
            mutant(
                "delete_batch looks on the row side only",
                "delete_batch",
                "l.msg_id = any (v_",
                "false and l.msg_id = any (v_",
            ),
        ),
    ),
    Guard(
        11,
        delete_finds_what_was_read_again,
        (
            mutant(
                "delete looks in the log only", "delete", ROW_DELETE, "perform from pgqueue.r_x where false;"
            ),
            mutant("delete_batch looks in the log only", "delete_batch", ROW_BATCH, f"{ROW_BATCH} and false"),
        ),
    ),
    Guard(
        11,
        delete_finds_a_message_that_is_on_its_way_to_the_row_side,
        (
            mutant(
                "delete looks on the row side first",
                "delete",
                ROW_DELETE,
                "perform from pgqueue.r_x where false;",
                Edit(
                    "delete",
                    "if v_proven then",
                    f"{ROW_DELETE} if found then return 'done'; end if; if v_proven then",
                ),
            ),
            mutant(
                "delete_batch looks on the row side first",
                "delete_batch",
                ROW_BATCH,
                f"{ROW_BATCH} and r.msg_id = any (v_seen)",
                Edit(
                    "delete_batch",
                    "v_mine bigint[];",
                    "v_mine bigint[]; v_seen bigint[] := array(select r.msg_id from pgqueue.r_x r);",
                ),
            ),
        ),
    ),
    Guard(
        24,
        other_receipt_acks_nothing_in_the_log,
        (
            mutant("delete asks for no receipt", "delete", "where c.receipt = v_receipt and", "where"),
            mutant(
                "delete_batch asks for no receipt of each",
                "delete_batch",
                "where c.receipt = u.receipt and",
                "where",
            ),
            mutant(
                "delete_batch asks for no receipt of all",
                "delete_batch",
                "c.receipt = v_receipt",
                "c.receipt is not null",
            ),
        ),
    ),
    Guard(
        24,
        lost_lease_acks_nothing_on_the_row_side,
        (
            mutant(
                "delete asks for no receipt there",
                "delete",
                ROW_DELETE,
                "delete from pgqueue.r_x r where r.msg_id = v_id;",
            ),
            mutant(
                "delete_batch asks for no receipt there",
                "delete_batch",
                "and (v_receipts is null or r.receipt",
                "and (true or r.receipt",
            ),
        ),
    ),
    Guard(
        3,
        receipt_acks_nothing_that_came_late,
        (
            mutant("delete counts gaps as read", "delete", IN_GAPS),
            mutant("delete_batch counts gaps as read", "delete_batch", IN_GAPS_OF_BATCH),
        ),
    ),
    Guard(
        24,
        lost_lease_gives_nothing_back,
        (mutant("adopt asks for no receipt", "adopt", "or c.receipt = u.receipt", "or true"),),
    ),
)
