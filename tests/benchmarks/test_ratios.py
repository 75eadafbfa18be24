"""Ratios are taken within a round; medians and percentiles are those of the samples."""

from __future__ import annotations

import pytest

from benchmarks.ratios import Point, Results, Spread, percentile, shown
from benchmarks.sample import Sample

OURS, THEIRS = Point("read", "log"), Point("read", "pgmq")


def sample(system: str, number: int, rate: float, run: int = 0) -> Sample:
    return Sample("engine", "read", system, number, {"rate": rate}, run=run)


def test_a_ratio_is_taken_round_by_round() -> None:
    results = Results(
        [
            sample(s, n, r)
            for n, rates in enumerate([(20, 10), (9, 3), (8, 2)])
            for s, r in zip(("log", "pgmq"), rates, strict=True)
        ]
    )
    assert results.ratio(OURS, THEIRS) == Spread(3, 2, 4, 3)


def test_rounds_of_different_runs_are_not_compared() -> None:
    results = Results([sample("log", 1, 10, run=0), sample("pgmq", 1, 5, run=1)])
    assert results.ratio(OURS, THEIRS) is None


def test_a_missing_value_makes_no_ratio() -> None:
    results = Results([sample("log", 1, 10), Sample("engine", "read", "pgmq", 1, {})])
    assert results.ratio(OURS, THEIRS) is None
    assert results.spread(THEIRS, "rate") is None


def test_systems_come_in_the_order_of_their_part() -> None:
    results = Results([sample("pgmq", 1, 1), sample("new", 1, 1), sample("log", 1, 1)], ["log", "pgmq"])
    assert results.systems() == ["log", "pgmq", "new"]


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (0, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_one_round_shows_no_spread() -> None:
    assert Spread(1.234, 1.234, 1.234, 1).text() == "1.23"
    assert Spread(2, 1, 3, 3).text() == "2.00 (1.00..3.00)"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (12345.6, "12,346"), (1.2345, "1.23"), (0.0123, "0.0123")]
)
def test_figures_are_shown_with_three_digits(value: float | None, text: str) -> None:
    assert shown(value) == text
