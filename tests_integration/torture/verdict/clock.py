"""The database's clock (µs since 1970) against the machine's monotonic one (ns), by the observer's samples."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

STEP_US = 50_000  # two samples that differ by more than their own uncertainty and this: the clock was set
TOLERANCE_US = 2_000
FOR_EVER = 2**63


class Reading(NamedTuple):
    """One look at the database's clock between two moments of the monotonic one."""

    before: int
    after: int
    db_now: int

    @property
    def offset(self) -> int:
        return self.db_now - (self.before + self.after) // 2000

    @property
    def error(self) -> int:
        return (self.after - self.before) // 2000


class Stretch(NamedTuple):
    """From `since` (ns) on the database's clock is `offset` µs ahead, give or take `error`; seen so until `last`."""

    since: int
    last: int
    offset: int
    error: int


@dataclass(slots=True)
class Clock:
    """Without readings the offset of the config counts."""

    stretches: list[Stretch] = field(default_factory=lambda: [Stretch(0, FOR_EVER, 0, 0)])

    @classmethod
    def read(cls, start_offset: int, readings: list[Reading]) -> Clock:
        """Cut the run into stretches of one offset each; the sharpest reading of a stretch decides."""
        stretches: list[Stretch] = []
        for one in sorted(readings):
            last = stretches[-1] if stretches else None
            if last is None or abs(one.offset - last.offset) > one.error + last.error + STEP_US:
                stretches.append(Stretch(one.before if last else 0, one.after, one.offset, one.error))
            elif one.error < last.error:
                stretches[-1] = Stretch(last.since, one.after, one.offset, one.error)
            else:
                stretches[-1] = last._replace(last=one.after)
        return cls(stretches or [Stretch(0, FOR_EVER, start_offset, 0)])

    @property
    def steps(self) -> int:
        return len(self.stretches) - 1

    def database(self, monotonic: int) -> int:
        """Return what the database's clock said then, µs."""
        return monotonic // 1000 + self._at(monotonic).offset

    def earliest(self, begin: int, end: int) -> int:
        """Return the earliest that the database's clock can have said between two moments, µs."""
        # A step can have come as soon as the last reading before it was over.
        turns = [turn for stretch in self.stretches for turn in (stretch.since, stretch.last + 1)]
        moments = [begin, *(turn for turn in turns if begin < turn <= end)]
        return min(self.database(moment) - self.slack(moment) for moment in moments)

    def slack(self, monotonic: int) -> int:
        """Return how far off `database` can be then, µs: by the whole step where one lies between two readings."""
        index = self._index(monotonic)
        stretch, following = self.stretches[index], self.stretches[index + 1 : index + 2]
        step = abs(following[0].offset - stretch.offset) if following and monotonic > stretch.last else 0
        return stretch.error + TOLERANCE_US + step

    def monotonic(self, micros: int) -> int:
        """Return when the database's clock said this, ns. After a step back: the first time."""
        moment = 0
        for index, stretch in enumerate(self.stretches):
            following = self.stretches[index + 1].since if index + 1 < len(self.stretches) else FOR_EVER
            moment = max(stretch.since, (micros - stretch.offset) * 1000)
            if moment < following:
                break
        return moment

    def between(self, micros: int, begin: int, end: int) -> int:
        """Return when the database's clock said this, which was between two moments, ns."""
        moments = [(micros - stretch.offset) * 1000 for stretch in self.stretches]
        nearest = min(moments, key=lambda moment: max(begin - moment, moment - end, 0))
        return min(max(nearest, begin), end)

    def _at(self, monotonic: int) -> Stretch:
        return self.stretches[self._index(monotonic)]

    def _index(self, monotonic: int) -> int:
        index = bisect_right(self.stretches, monotonic, key=lambda stretch: stretch.since)
        return max(0, index - 1)
