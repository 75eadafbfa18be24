"""The consumer's real loop in a simulated world: virtual time, a queue in memory, faults from a seed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pgqueue.consumer import intake
from pgqueue.consumer.intake import Pace
from pgqueue.consumer.lease import Renewal
from pgqueue.consumer.outcome import DELETE
from pgqueue.consumer.settle import Ended, Settler
from pgqueue.consumer.slots import Slots
from pgqueue.errors import Unavailable
from pgqueue.periodic import Trouble
from tests.simulation.world import play

SEEDS = 600
GROUPS = 10
FOUND_WITHIN = 60  # seeds


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    logger = logging.getLogger("pgqueue")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


@pytest.mark.parametrize("group", range(GROUPS))
def test_the_loop_keeps_every_law_under_every_seed(group: int) -> None:
    handled, outcomes = 0, Counter[str]()
    for seed in range(group, SEEDS, GROUPS):
        ended = play(seed)
        assert not ended.broken, f"seed {seed}:\n" + "\n".join([*ended.broken, *ended.trace[-200:]])
        handled += ended.handled
        outcomes += ended.outcomes
    assert handled > SEEDS, "hardly a handler was started"
    assert {"done", "stale", "gone"} <= outcomes.keys(), "hardly a fault mattered"
    print(f"seeds: {SEEDS // GROUPS}, handlers started: {handled}, answers: {dict(outcomes)}")  # noqa: T201 - with -s


def test_the_same_seed_gives_the_same_trace() -> None:
    for seed in range(0, 40, 2):
        assert play(seed).trace == play(seed).trace
    assert play(1).trace != play(2).trace


def _drops_acks(monkeypatch: pytest.MonkeyPatch) -> None:
    send = Settler._send

    async def forgetful(self: Settler, plan: Any, verb: Any, group: list[Ended]) -> None:
        await send(self, plan, verb, group)
        for ended in group:
            if ended in self._waiting:
                self._waiting.remove(ended)

    monkeypatch.setattr(Settler, "_send", forgetful)


def _starts_what_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "is_overdue", lambda *_: False)


def _settles_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Settler.add

    def twice(self: Settler, held: Any, verdict: Any) -> None:
        add(self, held, verdict)
        add(self, held, verdict)

    monkeypatch.setattr(Settler, "add", twice)


def _acks_before_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Slots.start

    def hasty(self: Slots, job: Any) -> None:
        start(self, job)
        self._ended([(held, DELETE) for held in job.members])

    monkeypatch.setattr(Slots, "start", hasty)


def _gives_up_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "failed", lambda self, _: setattr(self, "next_at", float("inf")))


def _never_backs_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trouble, "seen", lambda _: 0.0)


def _renews_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Renewal, "renew_due", lambda _: 0)


def _ends_at_the_first_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Trouble) -> float:
        raise Unavailable("the loop has no answer to this")

    monkeypatch.setattr(Trouble, "seen", fail)


PLANTED = [
    _drops_acks,
    _starts_what_is_overdue,
    _settles_twice,
    _acks_before_the_handler,
    _gives_up_reading,
    _never_backs_off,
    _renews_nothing,
    _ends_at_the_first_error,
]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_fault_of_the_loop_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test of the test."""
    plant(monkeypatch)
    assert any(play(seed).broken for seed in range(FOUND_WITHIN))
