"""Medians and ratios over samples: every ratio is taken within a round, then its median and spread are shown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.sample import Sample

NOTHING = "-"
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and most of the rounds."""

    median: float
    least: float
    most: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values), len(values))

    def text(self) -> str:
        if self.rounds == 1:
            return f"{self.median:.2f}"
        return f"{self.median:.2f} ({self.least:.2f}..{self.most:.2f})"


@dataclass(frozen=True, slots=True)
class Point:
    """A system in a case."""

    case: str
    system: str


class Results:
    """The samples of one part, by case, system and round."""

    def __init__(self, samples: Iterable[Sample], order: Sequence[str] = ()) -> None:
        """`order` is that of the systems in tables; those that it doesn't name come last."""
        self._samples = list(samples)
        self._order = {name: place for place, name in enumerate(order)}
        self._at = {(s.case, s.system, s.run, s.round): s for s in self._samples}

    def cases(self) -> list[str]:
        return list(dict.fromkeys(sample.case for sample in self._samples))

    def systems(self) -> list[str]:
        found = dict.fromkeys(sample.system for sample in self._samples)
        return sorted(found, key=lambda name: self._order.get(name, len(self._order)))

    def at(self, point: Point) -> list[Sample]:
        return [s for s in self._samples if (s.case, s.system) == (point.case, point.system)]

    def values(self, point: Point, value: str) -> list[float]:
        return [sample.values[value] for sample in self.at(point) if value in sample.values]

    def spread(self, point: Point, value: str) -> Spread | None:
        return Spread.of(self.values(point, value))

    def ratio(self, above: Point, below: Point, value: str = "rate") -> Spread | None:
        """One over the other, in rounds that both took part in."""
        found = []
        for sample in self.at(above):
            other = self._at.get((below.case, below.system, sample.run, sample.round))
            if other is not None and value in sample.values and other.values.get(value):
                found.append(sample.values[value] / other.values[value])
        return Spread.of(found)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values don't exceed (nearest rank). Raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def percentiles(values: Sequence[float], name: str) -> dict[str, float]:
    """p50, p95 and p99 under names like `p50_ms`, for `name` = "ms"."""
    return {f"p{percent}_{name}": percentile(values, percent) for percent in PERCENTILES}


def shown(value: float | None) -> str:
    """A figure with three digits that mean something."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def shown_ratio(spread: Spread | None) -> str:
    return spread.text() if spread else NOTHING
