"""What is only a hint must never be believed too long: the floor, the state of sweep, an asynchronous commit."""

from __future__ import annotations

from functools import partial

from tests_integration.fixtures.verbs import scalar
from tests_integration.mutants.guards import Guard
from tests_integration.mutants.planting import mutant
from tests_integration.mutants.scene import WALK, Scene, ids, promise

HOUR = 3600


def _walk(scene: Scene) -> list[int]:
    """Let every walk over the index be remembered as a long one, and do the first, in a read; return what it got."""
    scene.edit("floor", "v_took > ", "v_took > interval '-1 s' or v_took > ")
    scene.number_receipts(WALK)
    return ids(scene.queue.read())


def message_that_appears_below_the_floor_is_found(scene: Scene) -> None:
    sender = scene.session()
    sender.connection.execute("begin")
    sent = sender.send(delay="0.1 s")
    scene.clock.advance(60)
    _walk(scene)
    sender.connection.execute("commit")
    scene.clock.advance(5)
    found = ids(scene.queue.read()) + ids(scene.queue.read())
    promise(found == [sent], "a message below the floor was never found")


def message_below_the_floor_is_found_by_whoever_polls_now_and_then(scene: Scene) -> None:
    sender = scene.session()
    sender.connection.execute("begin")
    sent = sender.send(delay="0.1 s")
    scene.clock.advance(60.3)
    _walk(scene)
    sender.connection.execute("commit")
    found: list[int] = []
    for _ in range(12):
        scene.clock.advance(0.5)
        found += ids(scene.queue.read())
    promise(found == [sent], "a message below the floor waited for a poll at the right instant")


def claim_that_appears_below_the_floor_is_found(scene: Scene) -> None:
    scene.queue.send()
    reader = scene.session()
    reader.connection.execute("begin")
    read = ids(reader.read(vt="1 s"))
    scene.clock.advance(60)
    _walk(scene)
    reader.connection.execute("commit")
    scene.clock.advance(5)
    found = ids(scene.queue.read()) + ids(scene.queue.read())
    promise(found == read, "a claim below the floor never lapsed")


def backlog_of_hours_and_days_stays_in_sight(scene: Scene) -> None:
    for wait in (HOUR, 30 * 24 * HOUR):
        sent = [scene.queue.send(), scene.queue.send()]
        scene.queue.read_one(vt="1 s")
        scene.clock.advance(wait)
        found = _walk(scene)
        for _ in range(5):
            scene.clock.advance(0.3)
            found += ids(scene.queue.read())
        promise(sorted({*found}) == sent, "the floor was taken for higher than it is")
        scene.queue.connection.execute("select pgqueue.purge_queue('x')")


def clock_that_is_set_back_hides_nothing(scene: Scene) -> None:
    scene.queue.send(delay="300 s")
    _walk(scene)
    scene.clock.advance(-6)
    sent = scene.queue.send(delay="0 s")
    if scene.queue.kind == "log":
        scene.queue.read_one(vt="0.1 s")  # else it is in the log, which has no floor
        scene.clock.advance(0.2)
    found = ids(scene.queue.read())
    promise(found == [sent], "a message lies below a floor from before the clock was set back")


def floor_is_believed_by_the_others_while_one_walks(scene: Scene) -> None:
    scene.queue.send(delay="300 s")
    _walk(scene)
    scene.clock.advance(5)
    scene.edit(
        "floor", "v_begin := pgqueue.clock();", "perform pgqueue_test.pause(); v_begin := pgqueue.clock();"
    )
    scene.shut_gate()
    walking = scene.start_blocked(scene.session(), lambda queue: queue.read())
    other = scene.start(scene.session(), lambda queue: queue.read())
    walks = other.running
    scene.open_gate()
    walking.result()
    other.result()
    promise(not walks, "two walk over the dead entries at once")


def _restore(scene: Scene, *, cluster: str, done: int, xid: int) -> int:
    """Leave an orphan, and a state of sweep that says nothing true about this cluster."""
    reader = scene.session()
    scene.queue.send()
    reader.connection.execute("begin")
    orphan: int = reader.read_one().msg_id
    reader.connection.execute("rollback")
    scene.control.execute(
        f"update pgqueue.h_x set cluster = {cluster}, done = %s, mark = 1, mark_last = 1, mark_xid = %s::text::xid8".encode(),
        [done, xid],
    )
    return orphan


def xid_of_another_cluster_is_not_waited_for(scene: Scene) -> None:
    orphan = _restore(scene, cluster="cluster", done=0, xid=10**12)
    promise(orphan in scene.drain(), "an orphan waits for an xid that will not come for years")


def state_of_another_cluster_is_not_believed(scene: Scene) -> None:
    orphan = _restore(scene, cluster="1", done=5, xid=3)
    promise(orphan in scene.drain(), "an orphan was passed over on the word of another cluster")


def burial_is_for_good(scene: Scene) -> None:
    scene.queue.send(delay="1 s")
    reader = scene.session().connection
    reader.execute("set synchronous_commit = off")
    scene.clock.advance(31)
    while scene.queue.on(reader).read():
        scene.clock.advance(31)
        reader.execute("commit; begin")
    mode = scalar(reader, "show synchronous_commit")
    reader.execute("commit")
    assert [letter.reason for letter in scene.queue.dead()] == ["hard_cap"]
    promise(mode == "on", "a burial commits asynchronously with the read that did it")


FLOOR = partial(
    mutant,
    "floor believed for ever",
    "floor",
    ":= pgqueue.decode_floor(v_hint, due);",
    ":= pgqueue.decode_floor(v_hint, '-infinity');",
)
HIGHER = partial(
    mutant,
    "floor no lower than a number of 20 bits can say",
    "floor",
    "encode_floor(least(v_floor, due - interval '0.1 s'),",
    "encode_floor(greatest(v_floor, due - interval '17 min'),",
)
LUCKY = partial(
    mutant,
    "the whole walk only at some instants",
    "floor",
    "(v_hint >> 26 & 3) = v_phase",
    "v_ms % v_period >= 100",
)
FROM_LATER = partial(
    mutant,
    "floor of a clock that was set back",
    "floor",
    "hint >> 28 > extract(epoch from due) * 10 + 20",
    "hint < 0",
)
CLUSTER = "v_old.cluster <> v_cluster or v_mark_xid > greatest("

GUARDS = (
    Guard(10, message_that_appears_below_the_floor_is_found, (FLOOR(),)),
    Guard(10, message_that_appears_below_the_floor_is_found, (FLOOR(),), kind="row"),
    Guard(10, claim_that_appears_below_the_floor_is_found, (FLOOR(),)),
    Guard(10, message_below_the_floor_is_found_by_whoever_polls_now_and_then, (LUCKY(),)),
    Guard(10, message_below_the_floor_is_found_by_whoever_polls_now_and_then, (LUCKY(),), kind="row"),
    Guard(10, backlog_of_hours_and_days_stays_in_sight, (HIGHER(),)),
    Guard(10, backlog_of_hours_and_days_stays_in_sight, (HIGHER(),), kind="row"),
    Guard(10, clock_that_is_set_back_hides_nothing, (FROM_LATER(),)),
    Guard(10, clock_that_is_set_back_hides_nothing, (FROM_LATER(),), kind="row"),
    Guard(
        10,
        floor_is_believed_by_the_others_while_one_walks,
        (mutant("everybody walks", "floor", "due + interval '1 s'", "due - interval '1 s'"),),
    ),
    Guard(
        13,
        burial_is_for_good,
        (
            mutant(
                "burial as the read commits",
                "row_read",
                "perform set_config('synchronous_commit', 'on', true) where",
                "perform 1 where",
            ),
        ),
    ),
    Guard(
        13,
        burial_is_for_good,
        (
            mutant(
                "burial as the read commits",
                "read",
                "perform set_config('synchronous_commit', 'on', true) where",
                "perform 1 where",
            ),
        ),
        kind="row",
    ),
    Guard(
        18,
        xid_of_another_cluster_is_not_waited_for,
        (
            mutant(
                "an xid of the future waited for",
                "sweep",
                CLUSTER,
                "v_old.cluster <> v_cluster or false and v_mark_xid > greatest(",
            ),
        ),
    ),
    Guard(
        18,
        state_of_another_cluster_is_not_believed,
        (mutant("another cluster believed", "sweep", CLUSTER, "v_mark_xid > greatest("),),
    ),
)
