"""Arrivals at once: nobody misses the end, nobody doubles it, nobody deadlocks."""

from __future__ import annotations

import threading
from functools import partial

import psycopg
import pytest

from tests_integration.barrier.fan import FAILURE, Fan, part
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, at_once, rows
from tests_integration.fixtures.waiting import wait_until_blocked


@pytest.fixture
def others(fan: Fan, database: Database) -> list[Fan]:
    return [fan.on(database.connect()) for _ in range(8)]


@pytest.mark.timeout(120)
def test_of_last_parts_that_arrive_at_the_same_instant_one_fires(fan: Fan, others: list[Fan]) -> None:
    """F45, U84"""
    rounds = 60
    for n in range(rounds):
        generation = fan.arm(8, key=f"b{n}")
        start = threading.Barrier(8)

        def arrive(me: Fan, message: object, start: threading.Barrier = start) -> bool:
            start.wait(10)
            fired: bool = me.ack([message])[0].fired
            return fired

        fired = at_once(
            *(partial(arrive, me, message) for me, message in zip(others, fan.read(), strict=True))
        )
        assert sum(fired) == 1
        assert fan.counts(generation) == ("done", 8, 0, 0)
    assert len(fan.sent()) == rounds


def test_second_of_two_last_parts_waits_for_the_first_and_fires(fan: Fan, others: list[Fan]) -> None:
    """The race made visible: neither sees the other's part as ended when it begins."""
    generation = fan.arm(2)
    first, second = fan.read()
    other = others[0]
    fan.db.execute("begin")
    assert fan.ack([first])[0].fired is False
    waiting = Background(lambda: other.ack([second]))
    wait_until_blocked(others[1].db, other.db.info.backend_pid)
    fan.db.execute("commit")
    assert waiting.result()[0].fired is True
    assert (fan.counts(generation), len(fan.sent())) == (("done", 2, 0, 0), 1)


def test_second_of_two_last_parts_does_not_fire_when_the_first_rolls_back(
    fan: Fan, others: list[Fan]
) -> None:
    generation = fan.arm(2)
    first, second = fan.read()
    other = others[0]
    fan.db.execute("begin")
    fan.ack([first])
    waiting = Background(lambda: other.ack([second]))
    wait_until_blocked(others[1].db, other.db.info.backend_pid)
    fan.db.execute("rollback")
    assert waiting.result()[0].fired is False
    assert fan.counts(generation) == ("live", 1, 0, 1)
    assert fan.ack([first])[0].fired is True


def test_parts_that_are_not_the_barrier_row_do_not_wait(fan: Fan, others: list[Fan]) -> None:
    """Arrivals of different barriers pass each other; of one barrier they meet only at its row, at the end."""
    fan.arm(2, key="x")
    fan.arm(2, key="y")
    x, _, y, _ = sorted(fan.read(), key=lambda message: message.msg_id)
    with fan.db.transaction():
        fan.ack([x])
        assert others[0].ack([y])[0].outcome == "done"


@pytest.mark.parametrize("winner", ["abort", "arrival"])
def test_abort_against_the_last_arrival_one_wins(fan: Fan, others: list[Fan], winner: str) -> None:
    """F49"""
    generation = fan.arm(1, on_failure=FAILURE)
    parts = fan.read()
    other = others[0]
    fan.db.execute("begin")
    if winner == "abort":
        assert fan.abort() == "aborted"
        waiting = Background(lambda: other.ack(parts)[0].fired)
    else:
        assert fan.ack(parts)[0].fired is True
        waiting = Background(other.abort)
    wait_until_blocked(others[1].db, other.db.info.backend_pid)
    fan.db.execute("commit")
    assert waiting.result() in (False, "ended")
    assert fan.look(generation).state == ("aborted" if winner == "abort" else "done")
    assert [one.message["task"] for one in fan.sent()] == ["mourn" if winner == "abort" else "sum"]


def test_two_holders_of_one_part_arrive_once(fan: Fan, others: list[Fan]) -> None:
    generation = fan.arm(2)
    first, _ = fan.read()
    assert sorted(at_once(*(partial(me.arrive, generation, 0) for me in others))) == ["again"] * 7 + [
        "arrived"
    ]
    assert fan.counts(generation) == ("live", 1, 0, 1)
    assert fan.ack([first])[0].outcome == "done"
    assert fan.counts(generation) == ("live", 1, 0, 1)


@pytest.mark.timeout(120)
def test_opposite_batches_over_the_same_barriers_never_deadlock(fan: Fan, others: list[Fan]) -> None:
    """F28: parts by generation and number, then barriers by generation, whatever the order of the arrays."""
    before = deadlocks(fan)
    for n in range(10):
        generations = [fan.arm(4, key=f"{n}/{m}") for m in range(30)]
        parts = fan.read()
        quarters = [[message for message in parts if message.message["n"] == q] for q in range(4)]
        actions = [
            partial(me.ack, quarter[:: 1 if q % 2 else -1])
            for q, (me, quarter) in enumerate(zip(others, quarters, strict=False))
        ]
        at_once(*actions)
        assert {fan.look(generation).state for generation in generations} == {"done"}
    assert len(fan.sent()) == 300
    assert deadlocks(fan) == before


def test_parts_are_locked_in_their_order_and_not_in_that_of_the_array(fan: Fan, others: list[Fan]) -> None:
    generation = fan.arm(3)
    backwards, third = others[0], others[1]
    with fan.db.transaction():
        lock(fan, generation, 0)
        arrivals = Background(
            lambda: rows(
                backwards.db,
                "select * from pgqueue.end_parts(%s, '{2,1,0}', '{done,done,done}', null, null)",
                [generation] * 3,
            )
        )
        wait_until_blocked(others[2].db, backwards.db.info.backend_pid)
        # it holds neither of the others, or this one would wait too
        third.db.execute("set lock_timeout = '2s'")
        with third.db.transaction():
            lock(third, generation, 1)
            lock(third, generation, 2)
    assert [row.state for row in arrivals.result()] == ["done"]


def test_barriers_are_locked_after_every_part(fan: Fan, others: list[Fan]) -> None:
    """An arrival that waits for a part holds no barrier: others of the barrier go on."""
    generation = fan.arm(3)
    first, second, third = fan.read()
    waiting = others[0]
    with fan.db.transaction():
        lock(fan, generation, 0)
        blocked = Background(lambda: waiting.ack([first, second]))
        wait_until_blocked(others[2].db, waiting.db.info.backend_pid)
        others[1].db.execute("set lock_timeout = '2s'")
        assert others[1].ack([third])[0].outcome == "done"
    assert {row.fired for row in blocked.result()} == {True}
    assert fan.counts(generation) == ("done", 3, 0, 0)


def test_groups_are_locked_before_any_barrier(row_fan: Fan, database: Database) -> None:
    """Who holds a group may wait for a barrier, so who adds parts to a group holds no barrier while it waits for it."""
    fan, adder, observer = row_fan, row_fan.on(database.connect()), database.connect()
    generation = fan.arm(2)
    first, second = fan.read()
    fan.db.execute("begin")
    fan.queue("total").send(group_key="g")
    adding = Background(lambda: adder.add(generation, 1, [part(9, "total", group_key="g")]))
    wait_until_blocked(observer, adder.db.info.backend_pid)
    fan.ack([first])
    fan.db.execute("commit")
    assert adding.result() == 2
    fan.ack([second])
    assert fan.counts(generation) == ("live", 2, 0, 1)


@pytest.mark.timeout(120)
def test_sweeps_and_arrivals_at_once_never_deadlock(fan: Fan, others: list[Fan]) -> None:
    before = deadlocks(fan)
    generations = [fan.arm(50, key=f"b{n}", policy="collect") for n in range(6)]
    fan.db.execute(
        "update pgqueue.barrier set check_at = armed_at, deadline_at = armed_at where generation % 2 = 0"
    )
    parts = fan.read()
    stop = threading.Event()

    def sweep(me: Fan) -> int:
        steps = 0
        while not stop.is_set():
            steps += len(me.sweep())
        return steps

    def work(me: Fan, mine: list[object]) -> None:
        for start in range(0, len(mine), 7):
            me.ack(mine[start : start + 7])

    sweeping = [Background(partial(sweep, me)) for me in others[:2]]
    shares = [parts[n::4] for n in range(4)]
    at_once(*(partial(work, me, mine) for me, mine in zip(others[2:6], shares, strict=True)))
    fan.sweep_all()
    stop.set()
    assert sum(one.result() for one in sweeping) > 0
    assert {fan.look(generation).state for generation in generations} == {"done"}
    assert len(fan.sent()) == 6
    assert all(fan.counts(generation)[3] == 0 for generation in generations)
    assert deadlocks(fan) == before


@pytest.mark.parametrize("policy", ["abort", "collect"])
def test_sweep_that_waits_behind_progress_expires_nothing(
    fan: Fan, others: list[Fan], clock: Clock, policy: str
) -> None:
    """U130, F54: what it has read is old when it gets the row; the write asks again."""
    generation = fan.arm(2, stall_after=600, policy=policy)
    first, _ = fan.read()
    clock.advance(600)
    sweeper = others[0]
    fan.db.execute("begin")
    fan.ack([first])
    sweeping = Background(sweeper.sweep)
    wait_until_blocked(others[1].db, sweeper.db.info.backend_pid)
    fan.db.execute("commit")
    assert [row.changed for row in sweeping.result()] == [0]
    fan.sweep_all()
    assert fan.counts(generation) == ("live", 1, 0, 1)
    assert fan.sent() == []


def lock(fan: Fan, generation: int, number: int) -> None:
    fan.db.execute(
        "select from pgqueue.barrier_part where generation = %s and part = %s for update",
        [generation, number],
    )


def deadlocks(fan: Fan) -> int:
    fan.db.execute("select pg_stat_force_next_flush()")
    (row,) = rows(fan.db, "select deadlocks from pg_stat_database where datname = current_database()")
    count: int = row.deadlocks
    return count


def test_deadlocks_are_counted(fan: Fan, others: list[Fan]) -> None:
    """The negative control of the tests above."""
    generation = fan.arm(2)
    before = deadlocks(fan)
    fan.db.execute("begin")
    lock(fan, generation, 0)
    other = others[0]
    other.db.execute("begin")
    lock(other, generation, 1)
    waiting = Background(lambda: lock(other, generation, 0))
    wait_until_blocked(others[1].db, other.db.info.backend_pid)
    died = 0
    try:
        lock(fan, generation, 1)
    except psycopg.errors.DeadlockDetected:
        died += 1
    fan.db.execute("rollback")
    try:
        waiting.result()
    except psycopg.errors.DeadlockDetected:
        died += 1
    other.db.execute("rollback")
    assert died == 1
    assert deadlocks(others[2]) >= before
