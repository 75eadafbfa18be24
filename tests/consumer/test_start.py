"""Which queues a process consumes, and how it learns that their settings have changed."""

from __future__ import annotations

import asyncio
import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgqueue.consumer import start
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import QueuePlan
from pgqueue.consumer.settings import Given, make_plan
from pgqueue.consumer.start import Wanted, check_queues
from pgqueue.errors import (
    ConfigurationError,
    InvalidInput,
    PgQueueError,
    QueueNotFound,
    SchemaMismatch,
    Unavailable,
)
from pgqueue.queue.model import Pause, QueueSettings, QueueState
from tests.consumer.conftest import AsyncScript

PAUSE = Pause("ann", "mails are down", dt.datetime(2030, 1, 1, tzinfo=dt.UTC), None)
ORDERS = make_plan("orders", QueueSettings(), {}, weight=3)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the room logs."""
    lines: list[dict[str, Any]] = []

    def note(level: str) -> Any:
        return lambda event, **fields: lines.append({"event": event, "level": level} | fields)

    monkeypatch.setattr(
        start, "log", SimpleNamespace(**{level: note(level) for level in ("info", "warning", "error")})
    )
    return lines


class Told:
    """Stands for a consumer."""

    def __init__(self, *plans: QueuePlan) -> None:
        self.plans = list(plans)

    def change_plan(self, plan: QueuePlan) -> None:
        self.plans = [plan if old.queue == plan.queue else old for old in self.plans]


async def refresh(told: Told, work: AsyncScript, rounds: int, **overrides: Any) -> None:
    """Let so many refreshes happen."""
    left = [rounds]

    async def pause(_: float) -> None:
        if not left[0]:
            raise asyncio.CancelledError
        left[0] -= 1

    given = {name: Given(value, "flag") for name, value in overrides.items()}
    with pytest.raises(asyncio.CancelledError):
        await start.keep_plans_fresh(cast("Consumer", told), work, given, pause)


def state(paused: Pause | None = None, **settings: Any) -> QueueState:
    return QueueState(QueueSettings(**settings), paused)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["orders"], [("orders", 1)]),
        (["orders:3", "mails"], [("orders", 3), ("mails", 1)]),
        (["orders:3,mails", "bills:1000"], [("orders", 3), ("mails", 1), ("bills", 1000)]),
        (["b", "a", "b"], [("b", 1), ("a", 1)]),
        (["a:2", "a:2"], [("a", 2)]),
        (["a,,b", "", " c "], [("a", 1), ("b", 1), ("c", 1)]),
    ],
)
def test_queues_come_once_in_their_order_with_their_weights(
    words: list[str], wanted: list[tuple[str, int]], said: list[dict[str, Any]]
) -> None:
    """U47"""
    assert check_queues(words) == wanted
    assert len(said) == sum(not part.strip() for word in words for part in word.split(","))
    assert {line["event"] for line in said} <= {"argument.ignored"}


def test_what_was_said_already_is_not_said_again(said: list[dict[str, Any]]) -> None:
    assert check_queues(["orders", ""], warn=False) == [("orders", 1)]
    assert said == []


@pytest.mark.parametrize("weight", ["", "0", "-1", "1001", "1.5", "x", "nan", "\uff19", "3:4", "9" * 5000])
def test_a_bad_weight_is_named(weight: str) -> None:
    with pytest.raises(ConfigurationError, match="orders"):
        check_queues([f"orders:{weight}"])


def test_two_weights_of_one_queue_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="weight 3 and with weight 1"):
        check_queues(["orders:3", "orders"])


@pytest.mark.parametrize("words", [[""], [",", " "]])
def test_no_name_at_all_is_refused(words: list[str]) -> None:
    """U46"""
    with pytest.raises(ConfigurationError, match="no queue"):
        check_queues(words)


def test_a_bad_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Orders"):
        check_queues(["Orders:3"])


async def test_plans_are_loaded_with_weight_and_pause_and_a_pause_is_said(
    work: AsyncScript, said: list[dict[str, Any]]
) -> None:
    work.on("queue.check_schema", 1)
    work.on("queue.state", state(max_in_flight=5), state(PAUSE))
    plans = await start.load_plans(work, [Wanted("orders", 3), Wanted("mails")], {})
    assert [(plan.weight, plan.limited, plan.paused) for plan in plans] == [
        (3, True, None),
        (1, False, PAUSE),
    ]
    assert [(line["event"], line["queue"], line["why"]) for line in said] == [
        ("queue.paused", "mails", "mails are down")
    ]


async def test_every_changed_setting_is_taken_over_and_said_once(
    work: AsyncScript, said: list[dict[str, Any]]
) -> None:
    changed = state(vt=50.0, max_in_flight_per_key=2, batch=7)
    work.on("queue.state", state(), changed, changed)
    told = Told(ORDERS)
    await refresh(told, work, 3)
    (plan,) = told.plans
    assert (plan.vt, plan.batch, plan.limited, plan.weight) == (50.0, 7, True, 3)
    assert [line["event"] for line in said] == ["settings.changed"]


async def test_a_pause_and_its_end_are_said_once_each(work: AsyncScript, said: list[dict[str, Any]]) -> None:
    again = PAUSE._replace(why="still down")
    work.on("queue.state", state(PAUSE), state(PAUSE), state(again), state(again), state(), state())
    await refresh(Told(ORDERS), work, 6)
    assert [line["event"] for line in said] == ["queue.paused", "queue.paused", "queue.resumed"]
    assert [line.get("why") for line in said] == ["mails are down", "still down", None]


async def test_settings_that_do_not_fit_are_said_once_until_they_change(
    work: AsyncScript, said: list[dict[str, Any]]
) -> None:
    short = [state(health_stale=40.0)] * 3
    work.on("queue.state", *short, state(health_stale=41.0), state(health_stale=60.0), *short)
    told = Told(make_plan("orders", QueueSettings(), {"vt": Given(50.0, "flag")}, weight=3))
    await refresh(told, work, 8, vt=50.0)
    assert [line["event"] for line in said] == ["settings.refused"] * 3
    assert told.plans[0].health_stale == 60.0


@pytest.mark.parametrize(
    "error", [QueueNotFound("queue orders does not exist", cure="", queue="orders"), Unavailable("gone")]
)
async def test_a_dropped_queue_or_a_database_that_is_away_is_left_to_the_reads(
    work: AsyncScript, said: list[dict[str, Any]], error: PgQueueError
) -> None:
    work.on("queue.state", error, error)
    told = Told(ORDERS)
    await refresh(told, work, 2)
    assert (told.plans, said) == ([ORDERS], [])


async def test_only_a_schema_that_cant_be_served_ends_the_watch_over_it(
    work: AsyncScript, said: list[dict[str, Any]]
) -> None:
    mismatch = SchemaMismatch("changed by a newer release")
    work.on("queue.check_schema", 2, Unavailable("away"), 3, mismatch)

    async def pause(_: float) -> None: ...

    assert await start.watch_schema(work, pause) is mismatch
    assert len(work.named("queue.check_schema")) == 4
    assert [line["event"] for line in said] == ["schema.refused"]
