from __future__ import annotations

from typing import Any

import pytest

from pgqueue.consumer.settings import Given, ProcessSettings, check_overrides, make_plan, sources
from pgqueue.errors import ConfigurationError
from pgqueue.queue.model import QueueSettings

QUEUE = QueueSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("concurrency", 0), ("concurrency", -1), ("concurrency", 10**6), ("poll", 0.0), ("poll", float("nan")),
        ("poll_max", 0.05), ("poll_max", float("inf")), ("grace", -0.1), ("grace", float("nan")), ("grace", float("inf")),
    ],
)  # fmt: skip
def test_a_bad_setting_of_the_process_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        ProcessSettings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vt", 0.0), ("vt", -1.0), ("vt", float("nan")), ("vt", float("inf")), ("vt", 1e6), ("health_stale", 30.0),
        ("health_stale", float("nan")), ("batch", 0), ("batch", 1001), ("max_reads", 0), ("vt", 61.0),
    ],
)  # fmt: skip
def test_a_bad_setting_of_a_queue_is_named_with_the_number(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_plan("orders", QUEUE, {name: Given(value, "flag")})
    assert name in str(raised.value)
    assert str(value) in str(raised.value)
    assert "orders" in str(raised.value)


def test_what_depends_on_the_queue_waits_for_it() -> None:
    check_overrides({"vt": Given(600.0, "flag")})
    check_overrides({"health_stale": Given(20.0, "flag")})
    with pytest.raises(ConfigurationError, match="health_stale"):
        check_overrides({"vt": Given(60.0, "flag"), "health_stale": Given(60.0, "environment")})


def test_overrides_count_before_the_queue_and_the_source_is_shown() -> None:
    overrides = {"vt": Given(7.0, "flag"), "archive": Given(True, "environment")}
    plan = make_plan("orders", QUEUE, overrides)
    assert (plan.vt, plan.health_stale, plan.archive) == (7.0, 60.0, True)
    shown = sources(plan, overrides)
    assert (shown["vt"], shown["archive"], shown["batch"]) == (
        "7.0 (flag)",
        "True (environment)",
        "100 (queue)",
    )


def test_sync_acks_are_the_queues_choice() -> None:
    assert make_plan("orders", QUEUE, {}).ack_async
    assert not make_plan("orders", QueueSettings(ack_commit="sync"), {}).ack_async
