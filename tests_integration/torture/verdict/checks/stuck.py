"""How long messages lay visible without being read: nothing is forgotten, not for a while either."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests_integration.torture.verdict.faults import (
    Fault,
    Window,
    merged,
    overlap,
)
from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Op
from tests_integration.torture.verdict.model import (
    ENDINGS,
    EXTEND,
    Attempt,
    Fate,
    History,
    Lease,
    Life,
    lines,
)

STUCK_US = 10_000_000
CUTS_OFF = {
    "row": ("server", "connection", "pooler"),
    "log": ("server", "connection", "pooler", "load", "pause"),
}


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Walk over the life of every confirmed message, and report what is left in the end."""
    walk = Walk(history, findings, history.config.get("stuck_us", STUCK_US) * 1000)
    for one in history.confirmed():
        walk.message(one)
    for life in history.lives.values():
        if life.waiting is not None:
            findings.add(
                "stuck",
                uid=life.waiting["uid"], queue=life.queue, msg_id=life.msg_id, why="left after the drain",
                lines=lines(*[lease.op for lease in life.leases[-2:]]),
            )  # fmt: skip
    delays = sorted(walk.redelivery)
    return {
        "longest_wait_ms": walk.longest // 1_000_000,
        "longest_wait_of": list(walk.longest_of),
        "redelivery_delay_ms": quantiles(delays),
        "excused_seconds": {
            kind: round(overlap(windows, history.phases.get("load", 0), history.phases.get("stopped", 0)) / 1e9, 1)
            for kind, windows in walk.excused.items()
        },
    }  # fmt: skip


def quantiles(values: list[int]) -> dict[str, float]:
    """Return p50, p99 and the largest of sorted ns, in ms."""
    if not values:
        return {}
    picked = {"p50": values[len(values) // 2], "p99": values[len(values) * 99 // 100], "max": values[-1]}
    return {name: round(value / 1e6, 1) for name, value in picked.items()}


@dataclass(slots=True)
class Walk:
    """Measures the gaps between the moment when a message was visible for sure and its next lease or end.

    Time in which nobody could read it is taken off: no consumer alive and awake, or no way to the database. On a log
    an open transaction id holds back what is delayed or orphaned, so load and pauses count there too.
    """

    history: History
    findings: Findings
    bound: int
    excused: dict[str, list[Window]] = field(default_factory=dict)
    redelivery: list[int] = field(default_factory=list)
    longest: int = 0
    longest_of: tuple[str, int] = ("", 0)
    last: int = 0

    def __post_init__(self) -> None:
        processes = self.history.processes.by_name.values()
        self.last = max((process.last_t for process in processes), default=0)
        deaf = self.history.nobody_reads()
        for kind, wanted in CUTS_OFF.items():
            windows = self.history.faults.windows(partial(cuts, kinds=wanted))
            self.excused[kind] = merged([*windows, *deaf])

    def message(self, sent: Attempt) -> None:
        life = self.history.lives.get((sent.queue, sent.msg_id or 0)) or Life(sent.queue, sent.msg_id or 0)
        visible = (sent.sure_from or sent.op.began) + sent.delay_us * 1000
        before: Lease | None = None
        for lease in life.leases:
            unseen = self._unseen_between(before, lease, life)
            self._gap(life, visible, lease.at - unseen, sent.op, lease.op)
            if before is not None:
                self.redelivery.append(max(0, lease.at - visible))
            visible = self._visible_again(lease, life)
            before = lease
        ends = [op.ended for op, *_, fate in life.ends() if fate is Fate.SURE and op.ended is not None]
        if life.dead is not None:
            ends.append(self.history.clock.monotonic(life.dead["db_died"]))
        if ends:
            self._gap(life, visible, min(ends), sent.op, before.op if before else None)

    def _unseen_between(self, before: Lease | None, lease: Lease, life: Life) -> int:
        """Allow for claims that nobody lived to write down: each raised read_ct and hid the message for a vt."""
        unseen = lease.read_ct - (before.read_ct if before else 0) - 1
        return max(0, unseen) * self.history.setting(life.queue, "vt_us") * 1000

    def _visible_again(self, lease: Lease, life: Life) -> int:
        """Return the latest moment until which this lease can have hidden the message."""
        shown = max(self.history.clock.monotonic(lease.db_until), lease.op.ended or 0)
        for settle in life.settles:
            if settle.receipt != lease.receipt or settle.fate is Fate.NONE or settle.verb in ENDINGS:
                continue
            then = (settle.op.ended or settle.op.began) + settle.hide_us * 1000
            sure = settle.fate is Fate.SURE and settle.verb != EXTEND
            shown = then if sure else max(shown, then)
        return shown

    def _gap(self, life: Life, begin: int, end: int, *ops: Op | None) -> None:
        if end - begin <= self.longest and end - begin <= self.bound:
            return
        kind = self.history.config["queues"].get(life.queue, {}).get("kind", "row")
        gap = end - begin - overlap(self.excused.get(kind, []), begin, end)
        if gap > self.longest:
            self.longest, self.longest_of = gap, (life.queue, life.msg_id)
        if gap > self.bound:
            self.findings.add(
                "stuck",
                queue=life.queue, msg_id=life.msg_id, seconds=round(gap / 1e9, 1), visible_from=begin,
                lines=lines(*ops),
            )  # fmt: skip


def cuts(fault: Fault, *, kinds: tuple[str, ...]) -> bool:
    """Tell whether messages can't be read while this lasts; a fault of producers alone doesn't count."""
    return fault.kind in kinds and not fault.of.startswith("producer")
