"""The faults that happened: when, to whom, and what they excuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests_integration.torture.verdict.lines import Op

LOSS_NS = 2_000_000_000  # three times wal_writer_delay is 0.6 s; the rest is for a busy machine
AFTER_NS = 1_000_000_000  # workers reconnect, sweeps come round
FOR_EVER = 2**63
Window = tuple[int, int]


@dataclass(slots=True, eq=False)
class Fault:
    """`begin` is before it was done, `done` after, `healed` after its end; None when it never came."""

    number: int
    name: str
    kind: str
    op: Op
    of: str
    pids: list[int]
    loses_async: bool
    healed: int | None = None

    @property
    def begin(self) -> int:
        return self.op.began

    @property
    def happened(self) -> bool:
        return self.op.kind == "ok"

    @property
    def window(self) -> Window:
        """From before its begin to after its end; what failed or was cut may have been done all the same."""
        if self.op.kind == "fail":
            return self.begin, self.op.ended or self.begin
        return self.begin, self.healed or FOR_EVER

    def overlaps(self, begin: int, end: int) -> bool:
        return self.begin <= end and begin <= self.window[1]

    def hits(self, process: str) -> bool:
        """Tell whether it concerns this process."""
        if self.of in {"", "all", "database"}:
            return True
        return process.startswith(
            self.of.removesuffix("s") if self.of in {"producers", "consumers"} else self.of
        )


@dataclass(slots=True)
class Faults:
    all: list[Fault] = field(default_factory=list)

    def add(self, op: Op, args: dict[str, Any], result: dict[str, Any]) -> None:
        said = args | result
        of, loses = said.get("of") or "", bool(said.get("loses_async"))
        pids = result.get("pids", [])
        self.all.append(Fault(args["fault_id"], args["fault"], args["class"], op, of, pids, loses))

    def heal(self, ends: Iterable[tuple[int, int]]) -> None:
        """Note (number, moment) of every heal."""
        moments = dict(ends)
        for fault in self.all:
            fault.healed = moments.get(fault.number)

    def of(self, *kinds: str) -> list[Fault]:
        return [fault for fault in self.all if fault.kind in kinds]

    def happened(self) -> Counter[str]:
        return Counter(fault.name for fault in self.all if fault.happened)

    def may_have_lost(self, op: Op, by: int) -> bool:
        """Tell whether a crash before `by` may have taken back this operation, though it was confirmed."""
        if not op.asynchronous:
            return False
        sure = op.began if op.ended is None else op.ended
        return any(
            fault.begin - LOSS_NS <= sure <= fault.window[1] and fault.begin <= by
            for fault in self.of("server")
            if fault.loses_async
        )

    def windows(self, chosen: Callable[[Fault], bool]) -> list[Window]:
        """Return when one of the chosen was at work, and a moment after, in order and without overlaps."""
        found = sorted(
            (fault.begin, fault.window[1] + AFTER_NS)
            for fault in self.all
            if fault.op.kind != "fail" and chosen(fault)
        )
        return merged(found)


def merged(windows: Iterable[Window]) -> list[Window]:
    """Join windows that touch."""
    found: list[Window] = []
    for begin, end in sorted(windows):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def between(windows: list[Window], begin: int, end: int) -> list[Window]:
    """Return what of the time between two moments is in none of the windows, which must be merged."""
    found, reached = [], begin
    for start, stop in windows:
        if reached < min(start, end):
            found.append((reached, min(start, end)))
        reached = max(reached, stop)
    return [*found, (reached, end)] if reached < end else found


def overlap(windows: list[Window], begin: int, end: int) -> int:
    """Return how much of the time between two moments is inside of windows, which must be merged."""
    return sum(max(0, min(stop, end) - max(start, begin)) for start, stop in windows)
