"""How long messages lay visible without being read: nothing is forgotten for a while either."""

from __future__ import annotations

from collections import defaultdict

from tests_integration.torture.checker.accounts import Accounts
from tests_integration.torture.checker.finding import Findings
from tests_integration.torture.checker.leases import Lease
from tests_integration.torture.checker.model import Delivery, Fate, History

STOPS_ALL = ("immediate", "kill_server")
HOLDS_AN_XID = ("long_writer", "prepared", "pause")  # on a log, orphans wait for the oldest transaction
AFTER_NS = 1_000_000_000  # workers reconnect, sweeps come round


class Waits:
    """Gaps between the moment when a message was visible for sure and its next delivery or end.

    Faults that stop everybody, or hold a transaction id open, don't count: `lost time` is taken off a gap.
    """

    def __init__(self, history: History, clock_offset: int, bound_ns: int, *, kind: str) -> None:
        excused = STOPS_ALL + HOLDS_AN_XID if kind == "log" else STOPS_ALL
        self._offset = clock_offset
        self._bound = bound_ns
        self._excused = [
            (op.invoked, (op.ended or op.invoked) + AFTER_NS)
            for op in history.named("fault")
            if op.args["fault"] in excused
        ]
        self.longest = 0
        self.longest_of: int | None = None  # msg_id

    def monotonic(self, micros: int) -> int:
        """Turn the database's clock into the machine's monotonic one, ns."""
        return (micros - self._offset) * 1000

    def check(
        self, history: History, accounts: Accounts, given: list[Delivery], leases: dict[int, list[Lease]],
        findings: Findings,
    ) -> None:  # fmt: skip
        """Walk over the deliveries of every confirmed message."""
        chains: dict[int, list[Delivery]] = defaultdict(list)
        for one in given:
            chains[one.msg_id].append(one)
        held = {
            (lease.given.op.process, lease.given.op.number, i): lease
            for i, ls in leases.items()
            for lease in ls
        }
        died = {row[0]: self.monotonic(row[4]) for row in history.final.get("dead", ())}
        for msg_id, (_, attempt) in accounts.confirmed().items():
            op = attempt.op
            due = self.monotonic(op.result["by"] + op.args["delay"])
            visible = max(op.sure_from or op.invoked, due)
            for one in sorted(chains[msg_id], key=lambda d: d.op.ended or 0):
                # When it was claimed: a reader that was stopped just then hears of it later.
                self._gap(msg_id, visible, self.monotonic(one.start), findings)
                visible = self._visible_again(one, held.get((one.op.process, one.op.number, msg_id)))
            ends = [r.op.sure_from for r in accounts.removals.get(msg_id, ()) if r.op.sure_from]
            if ends or msg_id in died:
                self._gap(msg_id, visible, min([*ends, died.get(msg_id, max(ends, default=0))]), findings)

    def _visible_again(self, one: Delivery, lease: Lease | None) -> int:
        """The latest moment at which this delivery can still have hidden the message."""
        latest = max(one.op.ended or 0, one.closed or 0)
        if lease is None:
            return max(latest, self.monotonic(one.until))
        shown = self.monotonic(one.until)
        for op, outcome in lease.settles:
            if outcome not in {"done", None} or op.fate is Fate.NONE:
                continue
            sure = op.sure_from or shown
            then = max(sure, self.monotonic(op.result.get("by", one.until)) + op.args["hide"] * 1000)
            given_back = op.args["verb"] in {"retry", "release", "set_vt"} and op.fate is Fate.DONE
            shown = then if given_back else max(shown, then)
        return max(shown, one.op.sure_from or 0, latest)

    def _gap(self, msg_id: int, begin: int, end: int, findings: Findings) -> None:
        gap = end - begin - self._lost_time(begin, end) if end - begin > self.longest else 0
        if gap > self.longest:
            self.longest, self.longest_of = gap, msg_id
        if gap > self._bound:
            findings.add("stuck", msg_id=msg_id, seconds=round(gap / 1e9, 1), visible_from=begin)

    def _lost_time(self, begin: int, end: int) -> int:
        """How much of the time between the two was excused."""
        total, reached = 0, begin
        for start, stop in sorted(self._excused):
            inside = min(stop, end) - max(start, reached)
            if inside > 0:
                total, reached = total + inside, min(stop, end)
        return total
