"""Fair turns by weight, without any I/O: a queue asks, is answered, and the next one is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from pgqueue.consumer.intake import Pace
from pgqueue.consumer.model import QueuePlan
from pgqueue.consumer.turns import PATIENCE, READS_AT_ONCE, Blocked, Reader, RoomFor, Turns, work_connections
from tests.consumer.conftest import PLAN


def turns(**weights: int) -> Turns:
    plans = [replace(PLAN, queue=queue, weight=weight) for queue, weight in weights.items()]
    return Turns([Reader(Pace(plan, 0.1, 2.0, lambda: 0.0)) for plan in plans])


def room(most: int) -> Callable[[QueuePlan, int], int]:
    return lambda plan, reserved: max(0, min(plan.batch, most - reserved))


def chosen(made: Turns, most: int, now: float = 0.0, room_for: RoomFor | None = None) -> tuple[str, int]:
    turn = made.next(now, room_for or room(most))
    assert not isinstance(turn, Blocked), turn
    return turn[0].pace.plan.queue, turn[1]


def reader(made: Turns, queue: str) -> Reader:
    (found,) = [each for each in made.readers if each.pace.plan.queue == queue]
    return found


def answer(made: Turns, queue: str, got: int, now: float = 0.0) -> None:
    """Answer a read; one that found nothing is due again when the test says so."""
    reader(made, queue).answered(got, now)
    reader(made, queue).pace.next_at = now if got else now + 1.0


def claims(made: Turns, backlog: Mapping[str, float], rounds: int, most: int) -> Counter[str]:
    """Let `most` messages have room in each round, all of them handled by the next one."""
    left, claimed = dict(backlog), Counter[str]()
    for now in range(rounds):
        given = 0
        while not isinstance(turn := made.next(float(now), room(most - given)), Blocked):
            queue, asked = turn[0].pace.plan.queue, turn[1]
            got = int(min(asked, left[queue]))
            left[queue] -= got
            claimed[queue] += got
            given += got
            answer(made, queue, got, float(now))
    return claimed


@pytest.mark.parametrize("most", [1, 2, 7, 10, 100, 250])
@pytest.mark.parametrize("weights", [(1, 1, 1), (3, 1, 1), (10, 1, 5), (1000, 1, 1)])
def test_busy_queues_claim_in_proportion_to_their_weights(weights: tuple[int, ...], most: int) -> None:
    names = dict(zip(("a", "b", "c"), weights, strict=True))
    claimed = claims(
        turns(**names), dict.fromkeys(names, float("inf")), rounds=6000 // min(most, 10), most=most
    )
    for queue, weight in names.items():
        expected = claimed.total() * weight / sum(weights)
        assert claimed[queue] == pytest.approx(expected, rel=0.05, abs=2 * most + 100)


def test_what_an_idle_queue_does_not_need_goes_to_the_others_by_their_weights() -> None:
    backlog = {"idle": 0.0, "a": float("inf"), "b": float("inf")}
    claimed = claims(turns(idle=10, a=2, b=1), backlog, rounds=600, most=6)
    assert claimed["a"] + claimed["b"] == 3600
    assert claimed["a"] == pytest.approx(2400, rel=0.02)


def test_a_queue_alone_gets_all_the_room() -> None:
    assert chosen(turns(orders=1), 37) == ("orders", 37)


def test_who_was_idle_has_saved_nothing_up() -> None:
    made = turns(late=1, busy=1)
    claims(made, {"late": 0.0, "busy": float("inf")}, rounds=500, most=10)
    reader(made, "late").pace.next_at = reader(made, "busy").pace.next_at = 0.0
    claimed = claims(made, {"late": float("inf"), "busy": float("inf")}, rounds=100, most=10)
    assert claimed["late"] == pytest.approx(500, abs=20)


def test_a_read_on_its_way_keeps_its_turn_and_its_room() -> None:
    made = turns(a=3, b=1)
    for queue, got in (("a", 1), ("b", 10)):  # both are known to be busy, and b has had much
        reader(made, "b").pace.next_at = 0.0 if queue == "b" else 1.0
        reader(made, "a").pace.next_at = 0.0 if queue == "a" else 1.0
        assert chosen(made, got)[0] == queue
        answer(made, queue, got)
    reader(made, "a").pace.next_at = 0.0
    assert chosen(made, 8) == ("a", 6)
    assert made.reserved(0.0) == 6
    assert made.next(0.0, room(8)) is Blocked.READING, "a is about to be answered, and it is still its turn"
    answer(made, "a", 6)
    assert chosen(made, 2)[0] == "a"


def test_a_read_that_hangs_keeps_neither_turn_nor_room() -> None:
    made = turns(a=3, b=1)
    for queue in ("a", "b"):
        chosen(made, 1)
        answer(made, queue, 1)
    assert chosen(made, 8)[0] == "a"
    assert made.reserved(PATIENCE) == 0
    assert chosen(made, 8, PATIENCE) == ("b", 8)


def test_a_read_that_hung_catches_nothing_up() -> None:
    made = turns(a=1, b=1)
    for queue in ("a", "b"):
        chosen(made, 1)
        answer(made, queue, 1)
    assert chosen(made, 10)[0] == "a"
    for now in range(1, 100):
        assert chosen(made, 10, float(now)) == ("b", 10)
        answer(made, "b", 10, float(now))
    answer(made, "a", 5, 100.0)
    reader(made, "a").pace.next_at = reader(made, "b").pace.next_at = 0.0
    claimed = claims(made, {"a": float("inf"), "b": float("inf")}, rounds=20, most=10)
    assert claimed["a"] == pytest.approx(100, abs=20)


def test_no_more_reads_at_once_than_there_are_connections_for() -> None:
    made = turns(**{f"q{n}": 1 for n in range(6)})
    for _ in range(READS_AT_ONCE):
        chosen(made, 1, room_for=lambda _plan, _reserved: 1)
    assert made.next(0.0, lambda _plan, _reserved: 1) is Blocked.READING
    assert work_connections(1) == 6
    assert work_connections(6) == work_connections(60) == 12


def test_queues_in_trouble_leave_a_read_to_the_others() -> None:
    made = turns(**{f"q{n}": 1 for n in range(6)})
    for n in range(5):
        reader(made, f"q{n}").pace.trouble.seen()
        reader(made, "q5").pace.next_at = 1.0
    for _ in range(READS_AT_ONCE - 1):
        chosen(made, 1, room_for=lambda _plan, _reserved: 1)
    assert made.next(0.0, lambda _plan, _reserved: 1) is Blocked.READING
    reader(made, "q5").pace.next_at = 0.0
    assert chosen(made, 1, room_for=lambda _plan, _reserved: 1)[0] == "q5"


def test_who_may_not_read_for_its_acks_hang_keeps_no_turn() -> None:
    made = turns(stuck=1, a=1)
    held_back = lambda plan, _: None if plan.queue == "stuck" else 5  # noqa: E731
    assert chosen(made, 5, room_for=held_back)[0] == "a"
    assert turns(stuck=1).next(0.0, held_back) is Blocked.NO_ROOM


def test_without_room_nobody_reads_and_the_turn_is_kept() -> None:
    made = turns(a=1, b=1)
    assert made.next(0.0, room(0)) is Blocked.NO_ROOM
    assert chosen(made, 1)[0] == "a"


def test_what_is_not_due_does_not_read() -> None:
    made = turns(a=1)
    reader(made, "a").pace.next_at = 5.0
    assert made.next(4.9, room(1)) is Blocked.NOT_DUE
    assert chosen(made, 1, 5.0) == ("a", 1)
