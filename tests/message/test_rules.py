from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgqueue.errors import InvalidInput
from pgqueue.message import rules
from pgqueue.queue.model import Backoff


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (rules.check_qty, [1, 1000], [0, -1, 1001, 1.0, True, "1", None]),
        (rules.check_priority, [0, 9], [-1, 10, 0.5, True, None]),
        (
            rules.check_vt,
            [0.1, 86400, 30],
            [0, 0.09, -1, 86401, math.nan, math.inf, "30", True, None, timedelta(days=2)],
        ),
        (rules.check_delay, [0, 0.5, 366 * 86400], [-0.1, 366 * 86400 + 1, math.nan, math.inf, "1", None]),
        (lambda value: rules.check_id("msg_id", value), [-(2**63), 2**63 - 1], [2**63, 1.0, "1", None, True]),
    ],
)
def test_limits_hold_on_both_sides(check: Callable[[Any], Any], good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert check(value) == value
    for value in bad:
        with pytest.raises(InvalidInput):
            check(value)


def test_durations_are_seconds_or_a_timedelta() -> None:
    assert rules.check_vt(timedelta(minutes=1)) == 60
    assert rules.check_delay(timedelta(days=1)) == 86400
    assert isinstance(rules.check_delay(0), float)


@pytest.mark.parametrize("key", ["a", "é" * 127, "x" * 255, None])
def test_a_key_within_255_bytes_is_kept(key: str | None) -> None:
    assert rules.check_key("key", key) == key


@pytest.mark.parametrize("key", ["", "x" * 256, "é" * 128, "a\0", "\ud800", 7, b"a"])
def test_a_key_that_postgres_could_not_store_is_refused(key: Any) -> None:
    with pytest.raises(InvalidInput, match="key"):
        rules.check_key("key", key)


def test_headers_are_a_mapping_of_at_most_64_names() -> None:
    assert rules.check_headers(None) is None
    assert rules.check_headers({"a": 1}) == {"a": 1}
    assert rules.check_headers({str(n): n for n in range(64)})
    with pytest.raises(InvalidInput, match="65 headers"):
        rules.check_headers({str(n): n for n in range(65)})
    with pytest.raises(InvalidInput, match="mapping"):
        rules.check_headers([("a", 1)])


def test_names_of_the_library_are_reserved_but_for_the_identity() -> None:
    assert rules.check_headers({"pgqueue-key": "7", "pgqueue-scope": "acme"})
    with pytest.raises(InvalidInput, match="reserved"):
        rules.check_headers({"pgqueue-redriven-from": 7})


@pytest.mark.parametrize("values", ["abc", b"abc", {1: 2}, {1}, 7, None])
def test_a_batch_is_a_list(values: object) -> None:
    with pytest.raises(InvalidInput, match="must be a list"):
        rules.check_batch("messages", values)


def test_a_batch_has_at_most_10_000_elements_and_one_a_message() -> None:
    rules.check_batch("keys", [None] * 10_000, length=10_000)
    with pytest.raises(InvalidInput, match="10001 elements"):
        rules.check_batch("messages", [None] * 10_001)
    with pytest.raises(InvalidInput, match="2 elements for 3 messages"):
        rules.check_batch("keys", ["a", "b"], length=3)


@given(st.text(st.characters(), max_size=50), st.integers(1, 400))
def test_an_error_text_always_becomes_storable(text: str, times: int) -> None:
    cleaned = rules.clean_error(text * times)
    assert cleaned is not None
    assert len(cleaned.encode()) <= rules.MAX_ERROR_BYTES
    assert rules.check_text("error", cleaned) == cleaned
    assert "\x1b" not in cleaned


def test_tabs_and_lines_of_an_error_stay() -> None:
    assert rules.clean_error("a\n\tb") == "a\n\tb"
    assert rules.clean_error(None) is None
    assert (rules.clean_error("é" * 9000) or "").endswith("…")


def test_the_backoff_doubles_up_to_its_cap() -> None:
    plain = Backoff(base=1, factor=2, cap=60, jitter=0)
    assert [rules.backoff_delay(plain, n, 0.5) for n in (1, 2, 3, 7, 100, 10**9)] == [1, 2, 4, 60, 60, 60]
    assert rules.backoff_delay(plain, 0, 0.5) == 1


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_backoff_stays_within_its_jitter_and_cap(failures: int, chance: float) -> None:
    backoff = Backoff(base=3, factor=10, cap=3600, jitter=0.2)
    plain = min(3600, 3 * 10.0 ** min(failures - 1, 10))
    delay = rules.backoff_delay(backoff, failures, chance)
    assert plain * 0.8 - 1e-9 <= delay <= min(3600, plain * 1.2 + 1e-9)


@pytest.mark.parametrize("ids", [[], [1], [-(2**63), 0, 2**63 - 1]])
def test_many_ids_are_taken_as_they_are(ids: list[int]) -> None:
    assert rules.check_ids("msg_id", ids) == ids


@pytest.mark.parametrize("bad", [2**63, -(2**63) - 1, 1.0, "1", None, True])
def test_one_bad_id_among_many_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidInput, match="msg_id"):
        rules.check_ids("msg_id", [1, bad, 2])
