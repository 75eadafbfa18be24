from __future__ import annotations

from dataclasses import replace

import pytest

from pgqueue.consumer.intake import Pace, is_overdue, prefetch_limit, read_qty
from pgqueue.periodic import Trouble
from pgqueue.queue.model import Pause
from tests.consumer.conftest import PLAN, SENT_AT, held

PAUSE = Pause("ann", "the mail server is down", SENT_AT, None)


def pace() -> Pace:
    return Pace(PLAN, 0.1, 2.0, lambda: 0.0)


def test_the_interval_doubles_while_empty_and_any_claim_resets_it() -> None:
    waits, paced = [], pace()
    for _ in range(7):
        paced.empty(100.0)
        waits.append(paced.next_at - 100)
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
    paced.claimed(200.0)
    assert paced.next_at == 200.0
    paced.empty(200.0)
    assert paced.next_at == pytest.approx(200.1)


def test_who_begins_to_wait_looks_once_more_within_50_ms_and_then_at_the_interval() -> None:
    waits, paced = [], pace()
    for _ in range(4):
        paced.empty(100.0, awaited=True)
        waits.append(paced.next_at - 100)
    assert waits == pytest.approx([0.05, 0.1, 0.2, 0.4])
    paced.rung(100.0)
    paced.begin()
    paced.empty(100.0, awaited=True)
    assert paced.next_at == pytest.approx(100.05), "the ring ended the waiting"


def test_the_second_look_is_never_later_than_the_interval() -> None:
    paced = Pace(PLAN, 0.01, 2.0, lambda: 0.0)
    paced.empty(100.0, awaited=True)
    assert paced.next_at == pytest.approx(100.01)


def test_a_ring_makes_the_next_read_due_at_once_and_one_read_answers_many() -> None:
    paced = pace()
    paced.empty(100.0)
    paced.rung(100.01)
    paced.rung(100.02)
    assert paced.next_at == 100.01
    paced.begin()
    paced.empty(100.03)
    assert paced.next_at > 100.03


def test_a_ring_during_a_read_that_finds_nothing_asks_for_another() -> None:
    paced = pace()
    paced.begin()
    paced.rung(100.0)
    paced.empty(100.1, awaited=True)
    assert paced.next_at == 100.1
    paced.begin()
    paced.empty(100.2, awaited=True)
    assert paced.next_at > 100.2


def test_a_ring_does_not_shorten_the_pause_after_a_failure() -> None:
    paced = pace()
    paced.failed(100.0)
    paced.rung(100.1)
    assert paced.next_at == 100.5


def test_failures_wait_from_half_a_second_to_five_each_shortened_by_chance() -> None:
    trouble = Trouble(lambda: 0.0)
    assert [trouble.seen() for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
    assert trouble.over()
    assert not trouble.over()
    assert trouble.seen() == 0.5
    assert Trouble(lambda: 0.999).seen() == pytest.approx(0.25, abs=0.001)


def test_about_one_failure_a_minute_is_news() -> None:
    trouble = Trouble(lambda: 0.0)
    news = []
    for n in range(31):
        trouble.seen()
        if trouble.is_news:
            news.append(n)
    assert news == [0, 15, 30]


def test_nothing_is_claimed_ahead_before_a_handler_has_ended() -> None:
    assert prefetch_limit(PLAN, 10, None) == 0


@pytest.mark.parametrize(
    ("typical", "limit"), [(0.0, 200), (0.001, 200), (1.0, 100), (10.0, 10), (99.0, 1), (200.0, 0)]
)
def test_only_what_can_start_within_a_third_of_vt_is_claimed_ahead(typical: float, limit: int) -> None:
    assert prefetch_limit(PLAN, 10, typical) == limit


@pytest.mark.parametrize(
    ("free", "waiting", "prefetch", "qty"),
    [
        (10, 0, 0, 10),  # free slots only
        (0, 0, 0, 0),
        (10, 0, 200, 100),  # at most a batch
        (0, 100, 200, 100),
        (0, 101, 200, 0),  # enough wait here: reads stay large
        (3, 0, 20, 23),
        (10, 4, 0, 6),  # asked for, for free slots
        (10, 10, 0, 0),
        (0, 5, 0, 0),
    ],
)
def test_qty_is_what_has_room(free: int, waiting: int, prefetch: int, qty: int) -> None:
    assert read_qty(PLAN, free=free, waiting=waiting, prefetch=prefetch) == qty


def test_nothing_is_claimed_ahead_where_leases_are_limited() -> None:
    assert prefetch_limit(replace(PLAN, limited=True), 10, 0.001) == 0


def test_a_paused_queue_is_asked_at_the_longest_interval() -> None:
    paced = Pace(replace(PLAN, paused=PAUSE), 0.1, 2.0, lambda: 0.0)
    paced.empty(100.0)
    assert paced.next_at == 102.0
    paced.rung(100.5)
    assert paced.next_at == 100.5, "its end rings"


def test_what_has_not_started_within_half_of_vt_is_overdue() -> None:
    assert not is_overdue(held(at=0.0), 15.0)
    assert is_overdue(held(at=0.0), 15.1)
    assert is_overdue(held(at=0.0, plan=replace(PLAN, vt=1.0)), 0.6)
