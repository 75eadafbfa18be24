from __future__ import annotations

from datetime import timedelta

import pytest

from pgqueue.call import Repeat
from pgqueue.claim import calls, rules
from pgqueue.errors import ConfigurationError, InvalidInput
from pgqueue.queue.model import Backoff, QueueSettings


def test_default_tombstone_outlasts_the_redeliveries_of_a_default_queue() -> None:
    assert rules.check_outlasts(calls.RETENTION, QueueSettings()) == calls.RETENTION


def test_tombstone_that_goes_too_early_is_refused() -> None:
    """F53"""
    settings = QueueSettings(
        vt=30, health_stale=60, max_reads=5, repark_budget=5, repark_seconds=300, unknown_grace=600,
        backoff=Backoff(1, 2, 100, 0),
    )  # fmt: skip
    assert rules.longest_redelivery(settings) == 10 * (60 + 30 + 300) + 600
    with pytest.raises(ConfigurationError, match="4500 s"):
        rules.check_outlasts(4500, settings)
    assert rules.check_outlasts(timedelta(seconds=4501), settings) == 4501


@pytest.mark.parametrize("lease", [0, -5, 0.9, 86_401, float("nan"), True, "60"])
def test_bad_lease_is_refused(lease: float) -> None:
    """B15"""
    with pytest.raises(InvalidInput, match="lease"):
        calls.try_claim("name", "key", lease)


@pytest.mark.parametrize(("name", "key"), [("", "k"), ("n", ""), ("n", "x" * 256), (None, "k"), ("n", None)])
def test_bad_names_are_refused(name: str, key: str) -> None:
    with pytest.raises(InvalidInput):
        calls.try_claim(name, key)


def test_what_may_be_repeated() -> None:
    """A claim whose answer was lost is left to lapse unless the server said that it rolled back."""
    assert calls.try_claim("n", "k").repeat is Repeat.IF_ROLLED_BACK
    for call in (calls.renew("n", "k", 1), calls.finish("n", "k", 1), calls.release("n", "k", 1)):
        assert call.repeat is Repeat.ALWAYS
        assert call.sql.count("%s") == len(call.params)
        assert not call.may_commit_async
