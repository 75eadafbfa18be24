"""Charts as data: what the page draws. A part says what it shows, `svg` how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.ratios import Point, Results, Spread


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with its spread; `name` picks the colour."""

    name: str
    spread: Spread


@dataclass(frozen=True, slots=True)
class BarChart:
    """Groups of horizontal bars, the unit beside the title. `goal` draws a line at that value; `log` spaces by powers of ten."""

    title: str
    unit: str
    groups: list[tuple[str, list[Bar]]]
    note: str = ""
    goal: float | None = None
    log: bool = False


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over time, one point each `step` seconds. A name that ends in "control" is drawn dashed.

    `begin` stands under the first point, `end` after the seconds of the last one.
    """

    title: str
    unit: str
    step: float
    lines: dict[str, list[float]]
    note: str = ""
    marks: dict[str, float] = field(default_factory=dict)
    begin: str = "before"
    end: str = "s under it"


def ratio_chart(
    results: Results,
    title: str,
    pairs: Sequence[tuple[str, str]],
    *,
    cases: Sequence[str] | None = None,
    value: str = "rate",
    note: str = "",
) -> BarChart:
    """A group for each case, a bar for each pair of systems: the first over the second."""
    groups = []
    for case in results.cases() if cases is None else cases:
        found = [(a, results.ratio(Point(case, a), Point(case, b), value)) for a, b in pairs]
        bars = [Bar(name, spread) for name, spread in found if spread]
        if bars:
            groups.append((case, bars))
    return BarChart(title, "x", groups, note, goal=1.0)


def figure_chart(
    results: Results,
    title: str,
    unit: str,
    value: str,
    *,
    cases: Sequence[str] | None = None,
    note: str = "",
    log: bool = False,
) -> BarChart:
    """A group for each case, a bar for each system."""
    groups = []
    for case in results.cases() if cases is None else cases:
        found = [(system, results.spread(Point(case, system), value)) for system in results.systems()]
        bars = [Bar(name, spread) for name, spread in found if spread]
        if bars:
            groups.append((case, bars))
    return BarChart(title, unit, groups, note, log=log)
