from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pgqueue.consumer import outcome
from pgqueue.consumer.model import Verb, Verdict
from pgqueue.errors import ClaimHeld
from pgqueue.queue.model import Backoff
from pgqueue.task.answer import Bury, Release, Retry
from tests.consumer.conftest import PLAN, held, message

HALF = lambda: 0.5  # noqa: E731 - no jitter


@pytest.mark.parametrize("answer", [None, 0, False, "text", [], ValueError("returned, not raised")])
def test_whatever_else_a_handler_returns_means_done(answer: Any) -> None:
    assert outcome.answered(held(), answer, None, HALF).verb is Verb.DELETE


def test_a_queue_with_an_archive_keeps_what_is_done() -> None:
    assert outcome.done(replace(PLAN, archive=True)).verb is Verb.ARCHIVE


@pytest.mark.parametrize("judge", [outcome.answered, outcome.raised])
def test_answers_count_alike_returned_or_raised(judge: Any) -> None:
    assert judge(held(), Bury("bad", "text"), None, HALF) == Verdict(Verb.BURY, reason="bad", error="text")
    assert judge(held(), Retry(7), None, HALF).delay == 7
    assert judge(held(read_ct=3), Retry(), None, HALF).delay == 4
    assert judge(held(), Release(), None, HALF).verb is Verb.RELEASE


@pytest.mark.parametrize(
    ("read_ct", "release_ct", "delay"), [(1, 0, 1), (2, 0, 2), (5, 0, 16), (9, 7, 2), (400, 0, 3600)]
)
def test_the_backoff_grows_with_attempts_not_with_releases(
    read_ct: int, release_ct: int, delay: float
) -> None:
    verdict = outcome.raised(held(read_ct=read_ct, release_ct=release_ct), ValueError("x"), None, HALF)
    assert (verdict.verb, verdict.delay) == (Verb.RETRY, delay)


def test_a_tasks_own_backoff_counts_before_the_queues() -> None:
    assert outcome.raised(held(), ValueError(), Backoff(50, 1, 50, 0), HALF).delay == 50


def test_jitter_spreads_to_both_sides() -> None:
    plan = replace(PLAN, backoff=Backoff(100, 1, 1000, 0.2))
    delays = [
        outcome.raised(held(plan=plan), ValueError(), None, chance).delay
        for chance in (lambda: 0.0, lambda: 0.5, lambda: 1.0)
    ]
    assert delays == pytest.approx([80, 100, 120])


@pytest.mark.parametrize(("seconds", "delay"), [(0.0, 2), (45.0, 45), (7_200.0, 60)])
def test_a_claim_that_another_one_holds_is_waited_for_uncounted(seconds: float, delay: float) -> None:
    verdict = outcome.raised(held(), ClaimHeld("held", seconds=seconds), None, HALF)
    assert verdict == Verdict(Verb.RELEASE, delay=delay)


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), GeneratorExit(), StopIteration()])
def test_strange_exceptions_are_failures(error: BaseException) -> None:
    verdict = outcome.raised(held(), error, None, HALF)
    assert verdict.verb is Verb.RETRY
    assert verdict.error is not None
    assert type(error).__name__ in verdict.error


def test_a_keyboard_interrupt_gives_the_message_back() -> None:
    assert outcome.raised(held(), KeyboardInterrupt(), None, HALF).verb is Verb.RELEASE


def test_a_handler_that_only_releases_counts_after_the_tenth_time() -> None:
    verbs = [
        outcome.answered(held(read_ct=n + 1, release_ct=n), Release(), None, HALF).verb for n in range(12)
    ]
    assert verbs == [Verb.RELEASE] * 10 + [Verb.RETRY] * 2


@pytest.mark.parametrize(
    ("read_ct", "release_ct", "poison"), [(5, 0, False), (6, 0, True), (9, 4, False), (10, 4, True)]
)
def test_poison_counts_reads_without_releases(read_ct: int, release_ct: int, poison: bool) -> None:
    assert outcome.is_poison(held(read_ct=read_ct, release_ct=release_ct)) is poison


def test_unknown_delays_grow_to_a_minute_and_end_after_the_grace() -> None:
    age, releases, delays = 0.0, 0, []
    while (
        verdict := outcome.unknown(message(release_ct=releases, age=age), PLAN, "why")
    ).verb is Verb.RELEASE:
        delays.append(verdict.delay)
        age, releases = age + verdict.delay, releases + 1
    assert delays[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert 600 <= age <= 660
    assert (verdict.verb, verdict.reason) == (Verb.BURY, "unknown")


def test_an_old_message_gets_its_grace_when_it_is_first_seen() -> None:
    assert outcome.unknown(message(age=1e6), PLAN, "why").verb is Verb.RELEASE


def test_a_message_released_often_by_shutdowns_gets_its_grace_too() -> None:
    assert outcome.unknown(message(release_ct=50, age=1.0), PLAN, "why").verb is Verb.RELEASE
