"""Arming: all parts and the barrier in one transaction, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests_integration.barrier.fan import CALLBACK, FAILURE, Fan, part
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, configure_queue, create_queue, refused, rows, scalar
from tests_integration.fixtures.waiting import wait_until_blocked


def nothing_stands(fan: Fan) -> bool:
    counts = rows(
        fan.db,
        "select (select count(*) from pgqueue.barrier) + (select count(*) from pgqueue.barrier_part)"
        " + (select count(*) from pgqueue.messages) as n",
    )
    return bool(counts[0].n == 0)


def test_parts_and_barrier_come_with_the_commit(fan: Fan, database: Database) -> None:
    other = fan.on(database.connect())
    with fan.db.transaction():
        generation = fan.arm(3)
        assert nothing_stands(other)
    assert fan.counts(generation) == ("live", 0, 0, 3)
    assert [message.message for message in fan.read()] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_rolled_back_arming_leaves_no_part(fan: Fan) -> None:
    with fan.db.transaction(force_rollback=True):
        fan.arm(3)
    assert nothing_stands(fan)


def test_every_part_knows_its_barrier_and_number(fan: Fan) -> None:
    generation = fan.arm([part(0, headers={"trace": "t"}), part(1)])
    first, second = fan.read()
    told = {"barrier": "b", "generation": generation}
    assert first.headers == {"trace": "t", "pgqueue-part": told | {"part": 0}}
    assert second.headers == {"pgqueue-part": told | {"part": 1}}
    assert [one.msg_id for one in fan.parts(generation)] == [first.msg_id, second.msg_id]


def test_parts_may_go_to_queues_of_both_kinds(database: Database) -> None:
    db = database.connect()
    for name, kind in (("parts", "row"), ("more", "log"), ("total", "log")):
        create_queue(db, name, kind)  # type: ignore[arg-type]
    fan = Fan(db, "row")
    generation = fan.arm(
        [part(0), part(1, "more"), part(2, priority=3), part(3, "more"), part(4, group_key="g")]
    )
    assert [one.queue for one in fan.parts(generation)] == ["parts", "more", "parts", "more", "parts"]
    fan.ack(fan.read())
    assert fan.counts(generation) == ("live", 3, 0, 2)
    fan.ack(fan.read(queue="more"), queue="more")
    assert fan.counts(generation) == ("done", 5, 0, 0)
    assert len(fan.sent()) == 1


def test_parts_beyond_a_batch_keep_their_order(fan: Fan) -> None:
    generation = fan.arm(20_003)
    numbers = scalar(
        fan.db,
        "select array_agg((m.message ->> 'n')::int order by p.part) from pgqueue.barrier_part p"
        " join pgqueue.q_parts m on m.msg_id = p.msg_id where p.generation = %s",
        generation,
    )
    assert numbers == list(range(20_003))


@pytest.mark.parametrize("size", [0, 1])
def test_mixed_priorities_never_exceed_a_batch(fan: Fan, size: int) -> None:
    given = [part(n) if n % 2 == size else part(n, priority=0) for n in range(20_002)]
    generation = fan.arm(given)
    assert fan.look(generation).open == 20_002


def test_no_parts_arm_nothing(fan: Fan) -> None:
    assert fan.arm(0) is None
    assert nothing_stands(fan)


def test_no_parts_fire_at_once_when_asked_to(fan: Fan) -> None:
    generation = fan.arm(0, fire_empty=True)
    assert fan.counts(generation) == ("done", 0, 0, 0)
    assert fan.look(generation).progress == 1
    assert len(fan.sent()) == 1


def test_live_key_is_refused(fan: Fan) -> None:
    generation = fan.arm(1)
    error = refused("PQ011", lambda: fan.arm(2))
    assert "new_generation" in (error.diag.message_hint or "")
    assert len(fan.read()) == 1
    assert fan.counts(generation) == ("live", 0, 0, 1)


def test_key_of_an_ended_barrier_is_free(fan: Fan) -> None:
    first = fan.arm(1)
    fan.ack(fan.read())
    second = fan.arm(1)
    assert second > first
    assert (fan.look(first).state, fan.look(second).state) == ("done", "live")


def test_new_generation_replaces_and_never_mixes_with_the_old(fan: Fan) -> None:
    """U101: late parts of the old run count for nothing in the new one."""
    first = fan.arm(1)
    (late,) = fan.read()
    second = fan.arm(1, new_generation=True)
    assert fan.look(first).state == "replaced"
    assert fan.ack([late], ["old"])[0].outcome == "done"
    assert fan.counts(second) == ("live", 0, 0, 1)
    assert fan.sent() == []
    fan.ack(fan.read(), ["new"])
    assert fan.counts(second) == ("done", 1, 0, 0)
    assert [one.result for one in fan.results(second)] == ["new"]
    assert len(fan.sent()) == 1


def test_of_two_that_arm_a_key_one_wins(fan: Fan, database: Database) -> None:
    other = fan.on(database.connect())
    observer = database.connect()
    fan.db.execute("begin")
    generation = fan.arm(2)
    waiting = Background(lambda: other.arm(3))
    wait_until_blocked(observer, other.db.info.backend_pid)
    fan.db.execute("commit")
    refused("PQ011", waiting.result)
    assert fan.counts(generation) == ("live", 0, 0, 2)
    assert len(fan.read()) == 2


def test_key_of_an_arming_that_rolled_back_is_free(fan: Fan, database: Database) -> None:
    other = fan.on(database.connect())
    observer = database.connect()
    fan.db.execute("begin")
    fan.arm(2)
    waiting = Background(lambda: other.arm(3))
    wait_until_blocked(observer, other.db.info.backend_pid)
    fan.db.execute("rollback")
    assert fan.counts(waiting.result()) == ("live", 0, 0, 3)


BAD_PARTS = {
    "no array": {"queue": "parts"},
    "no object": [part(0), 7],
    "without a queue": [part(0), {"message": 1}],
    "without a message": [{"queue": "parts"}],
    "with something else": [part(0, delay=5)],
    "with bad headers": [part(0, headers=[1])],
    "with a bad group": [part(0, group_key=7)],
    "with a bad priority": [part(0, priority=1.5)],
    "with a priority out of range": [part(0, priority=10)],
    "with the reserved argument": [part(0, message={"task": "t", "kwargs": {"_pg_transport": False}})],
}


@pytest.mark.parametrize("case", BAD_PARTS)
def test_bad_parts_are_refused_as_a_whole(row_fan: Fan, case: str) -> None:
    parts = json.dumps(BAD_PARTS[case])
    error = refused(
        "PQ002",
        lambda: row_fan.db.execute("select pgqueue.barrier_arm('b', %s, %s)", [parts, Jsonb(CALLBACK)]),
    )
    assert error.diag.message_hint
    assert nothing_stands(row_fan)


BAD_CALLBACKS: dict[str, list[Any]] = {
    "PQ001": [{"queue": "nowhere", "message": 1}],
    "PQ002": [
        None,
        7,
        {"message": 1},
        {"queue": "total", "message": 1, "group_key": "g"},
        {"queue": "total", "message": 1, "priority": 10},
        {"queue": "total", "message": 1, "headers": {"pgqueue-x": 1}},
        {"queue": "total", "message": {"task": "t", "kwargs": {"_pg_transport": True}}},
    ],
    "PQ003": [{"queue": "total"}, {"queue": "total", "message": "x" * 1_048_576}],
}


@pytest.mark.parametrize("code", BAD_CALLBACKS)
@pytest.mark.parametrize("place", ["callback", "on_failure"])
def test_bad_callbacks_are_refused_when_armed_and_not_when_fired(row_fan: Fan, code: str, place: str) -> None:
    for bad in BAD_CALLBACKS[code]:
        if place == "callback":
            refused(code, lambda b=bad: row_fan.arm(1, callback=b))  # type: ignore[misc]
        elif bad is not None:
            refused(code, lambda b=bad: row_fan.arm(1, on_failure=b))  # type: ignore[misc]
    assert nothing_stands(row_fan)


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "hope"},
        {"policy": 1},
        {"deadline": 0},
        {"deadline": "1"},
        {"stall_after": -1},
        {"retries": 1.5},
        {"retries": 101},
        {"retention": 59},
        {"fire_empty": 1},
        {"surprise": 1},
    ],
)
def test_bad_options_are_refused(row_fan: Fan, options: dict[str, Any]) -> None:
    error = refused("PQ002", lambda: row_fan.arm(1, **options))
    assert next(iter(options)) in str(error)
    assert nothing_stands(row_fan)


@pytest.mark.parametrize("key", ["", "x" * 256, None])
def test_bad_keys_are_refused(row_fan: Fan, key: str) -> None:
    refused("PQ002", lambda: row_fan.arm(1, key=key))


def test_unknown_queue_of_a_part_arms_nothing(row_fan: Fan) -> None:
    refused("PQ001", lambda: row_fan.arm([part(0), part(1, "nowhere")]))
    assert nothing_stands(row_fan)


def test_what_a_send_refuses_arms_nothing(fan: Fan) -> None:
    configure_queue(fan.db, "parts", payload_limit=20)
    refused("PQ003", lambda: fan.arm([part(0), {"queue": "parts", "message": "x" * 30}]))
    if fan.kind == "log":
        refused("PQ008", lambda: fan.arm([part(0, group_key="g")]))
    assert nothing_stands(fan)


def test_group_of_parts_is_kept(row_fan: Fan) -> None:
    row_fan.arm([part(0, group_key="a"), part(1, group_key="b"), part(2, group_key="a")])
    assert [message.message["n"] for message in row_fan.read()] == [0, 1]


def test_stored_callback_is_a_marked_copy(row_fan: Fan) -> None:
    """U104: the caller's message is left as it is; the mark is in the kwargs of what will be sent."""
    generation = row_fan.arm(1, on_failure=FAILURE)
    stored = scalar(row_fan.db, "select callback from pgqueue.barrier where generation = %s", generation)
    assert stored["message"] == {"task": "sum", "args": [], "kwargs": {"of": "x", "_pg_transport": True}}
    failure = scalar(row_fan.db, "select on_failure from pgqueue.barrier where generation = %s", generation)
    assert failure["message"] == {"task": "mourn", "kwargs": {"_pg_transport": True}}
    assert "_pg_transport" not in json.dumps([CALLBACK, FAILURE])
