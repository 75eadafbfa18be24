"""A message whose sender commits after the cursor has passed its id."""

from __future__ import annotations

from tests_integration.fixtures.verbs import Queue
from tests_integration.mutants.guards import Guard
from tests_integration.mutants.planting import Edit, mutant
from tests_integration.mutants.scene import Scene, ids, promise

LATE = "a message that was sent late does not come with the next read"


def _bystander(scene: Scene) -> Queue:
    """Open a transaction that has nothing to do with the queue and holds the horizon back."""
    bystander = scene.session()
    bystander.connection.execute("begin")
    bystander.connection.execute("select pg_current_xact_id()")
    return bystander


def late_message_comes_with_the_next_read_and_carries_no_read(scene: Scene) -> None:
    sender, late, _ = scene.leave_gap()
    sender.connection.execute("commit")
    messages = scene.session().read(qty=5)
    promise(ids(messages) == [late], LATE)
    counts = (messages[0].read_ct, messages[0].release_ct)
    promise(counts == (1, 0), f"its first delivery counts {counts}")


def gaps_are_kept_while_a_sender_is_open(scene: Scene) -> None:
    sender, late, _ = scene.leave_gap()
    scene.queue.rows("maintain")
    sender.connection.execute("commit")
    promise(ids(scene.session().read(qty=5)) == [late], LATE)


def late_message_that_sweep_comes_upon_is_not_left_to_the_claim(scene: Scene) -> None:
    sender, late, _ = scene.leave_gap()
    sender.connection.execute("commit")
    scene.queue.rows("maintain")
    messages = scene.session().read(qty=5)
    promise(ids(messages) == [late], LATE)
    promise(messages[0].read_ct == 1, f"its first delivery counts as {messages[0].read_ct}")


def late_message_that_lapses_with_the_claim_carries_no_read(scene: Scene) -> None:
    sender, late, _ = scene.leave_gap()
    sender.connection.execute("commit")
    scene.clock.advance(31)
    scene.edit("mend", "if found then", "if false then")  # lapse may come before it
    (message,) = (message for message in scene.session().read(qty=5) if message.msg_id == late)
    promise(message.read_ct == 1, f"its first delivery counts as {message.read_ct}")


def late_message_is_not_waited_for_behind_a_long_writer(scene: Scene) -> None:
    _bystander(scene)
    sender, late, messages = scene.leave_gap()
    receipts = [message.receipt for message in messages]
    scene.queue.rows("delete_batch", msg_ids=ids(messages), receipts=receipts)
    sender.connection.execute("commit")
    promise(ids(scene.session().read(qty=5)) == [late], LATE)


def late_message_before_a_claim_of_one_is_not_waited_for(scene: Scene) -> None:
    _bystander(scene)
    scene.look_at_the_first_gap()
    sender = scene.session()
    sender.connection.execute("begin")
    late = sender.send()
    scene.queue.send()
    message = scene.queue.read_one()
    assert scene.queue.call("delete", msg_id=message.msg_id, receipt=message.receipt) == "done"
    sender.connection.execute("commit")
    promise(ids(scene.session().read(qty=5)) == [late], LATE)


def _late_batch(scene: Scene, count: int) -> None:
    """Let a batch come late, with a message read before it and one behind, and let all that was read be acked after a sweep."""
    sender = scene.session()
    scene.queue.send()
    sender.connection.execute("begin")
    late = sender.send_many(count)
    scene.queue.send()
    scene.clock.advance(1)
    reads = [scene.queue.read(qty=10) for _ in range(2)]
    sender.connection.execute("commit")
    scene.queue.rows("maintain")
    for messages in filter(None, reads):
        receipts = [message.receipt for message in messages]
        scene.queue.rows("delete_batch", msg_ids=ids(messages), receipts=receipts)
    missing = set(late) - set(scene.drain())
    promise(not missing, f"{len(missing)} messages that were sent never came")


def late_batch_comes_whole(scene: Scene) -> None:
    _late_batch(scene, 150)


def more_gaps_than_a_claim_notes_lose_nothing(scene: Scene) -> None:
    _late_batch(scene, 1500)


def many_gaps_before_it_keep_no_late_message_waiting(scene: Scene) -> None:
    _bystander(scene)
    sender = scene.session()
    for _ in range(25):
        sender.connection.execute("begin")
        sender.send()
        sender.connection.execute("rollback")
        scene.lend()
    sender.connection.execute("begin")
    late = sender.send()
    scene.lend()
    sender.connection.execute("commit")
    found: list[int] = []
    for _ in range(100):
        found += ids(scene.session().read(qty=5)) if not found else []
    promise(found == [late], "gaps of senders that rolled back keep a late message waiting")


GUARDS = (
    Guard(
        3,
        late_message_comes_with_the_next_read_and_carries_no_read,
        (
            mutant("gaps not noted", "read", "v_gaps := pgqueue.gaps__x(v_ids);"),
            mutant(
                "mended messages carry a read",
                "mend",
                "set_aside__x(v_claim.gaps, due)",
                "set_aside__x(v_claim.gaps, due, 1)",
            ),
        ),
    ),
    Guard(
        3,
        gaps_are_kept_while_a_sender_is_open,
        (
            mutant(
                "gaps forgotten before the horizon is passed",
                "sweep",
                "exit when pg_snapshot_xmin(",
                "update pgqueue.c_x c set gaps = null where c.gaps is not null; exit when pg_snapshot_xmin(",
            ),
        ),
    ),
    Guard(
        3,
        late_message_that_sweep_comes_upon_is_not_left_to_the_claim,
        (
            mutant(
                "sweep does not look into gaps",
                "sweep",
                "v_late := array(select unnest(c.gaps) from",
                "v_late := array(select unnest(c.gaps[:0]) from",
            ),
        ),
    ),
    Guard(
        17,
        late_message_that_lapses_with_the_claim_carries_no_read,
        (
            mutant(
                "lapse counts gaps as read",
                "lapse",
                "l.msg_id = any (v_claim.gaps) is not true as claimed",
                "true as claimed",
            ),
        ),
    ),
    Guard(
        3,
        late_message_is_not_waited_for_behind_a_long_writer,
        (
            mutant(
                "claim with gaps dropped by delete_batch",
                "delete_batch",
                "and v_claim.gaps is null",
                "",
                Edit("delete_batch", "and o.gaps is null", ""),
            ),
        ),
    ),
    Guard(
        3,
        late_message_before_a_claim_of_one_is_not_waited_for,
        (
            mutant(
                "claim with gaps dropped by delete",
                "delete",
                "and c.receipt = v_receipt and c.gaps is null",
                "and c.receipt = v_receipt",
            ),
        ),
    ),
    Guard(
        20,
        many_gaps_before_it_keep_no_late_message_waiting,
        (mutant("mend always begins at the first gap", "mend", "random() < 0.5", "false"),),
    ),
    Guard(
        3,
        late_batch_comes_whole,
        (
            mutant(
                "only a hundred gaps noted",
                "gaps",
                "return nullif(",
                "v_gaps := v_gaps[:100]; return nullif(",
            ),
        ),
    ),
    Guard(22, more_gaps_than_a_claim_notes_lose_nothing, ()),
)
