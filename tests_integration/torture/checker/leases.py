"""Leases of one message never overlap, and no message is seen before the time that it was hidden until.

All bounds are the database's clock and conservative: the end of a lease is the earliest it can have been, the
start of the next is exact. So there is no false alarm, and an overlap longer than the statement that ended
the lease is found.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field

from tests_integration.torture.checker.accounts import Accounts
from tests_integration.torture.checker.crashes import Crashes
from tests_integration.torture.checker.finding import Findings
from tests_integration.torture.checker.model import Delivery, Fate, History, Operation

GIVES_BACK = ("retry", "release")


@dataclass(slots=True)
class Lease:
    """A durable claim of one message. `end` is the earliest end, `hidden` the earliest that it may be seen again."""

    given: Delivery
    end: int
    hidden: int
    settles: list[tuple[Operation, str | None]] = field(default_factory=list)

    def apply(self, crashes: Crashes, by: int) -> None:
        """Follow what the holder did until `by` (monotonic ns), in its own order."""
        for op, outcome in self.settles:
            if outcome not in {"done", None} or op.fate is Fate.NONE or op.invoked > by:
                continue
            verb, start = op.args["verb"], op.result.get("at", self.given.start)
            hidden = start + op.args["hide"] if verb in {"retry", "set_vt"} else start
            end = start if verb != "set_vt" else hidden
            if op.fate is Fate.MAYBE or crashes.may_have_lost(op, by):
                end, hidden = min(end, self.end), min(hidden, self.hidden)
            self.end, self.hidden = end, hidden


def durable_leases(history: History, given: list[Delivery]) -> dict[int, list[Lease]]:
    """Committed claims by msg_id, in the order of their start, each with its holder's settles."""
    found: dict[int, list[Lease]] = defaultdict(list)
    by_receipt: dict[tuple[int, int], Lease] = {}
    for one in given:
        if one.op.fate is Fate.DONE and one.receipt is not None:
            lease = Lease(one, one.until, one.until)
            found[one.msg_id].append(lease)
            by_receipt[one.msg_id, one.receipt] = lease
    for leases in found.values():
        leases.sort(key=lambda lease: lease.given.start)
    for op in history.named("settle"):
        outcomes = op.result.get("outcomes") or [None] * len(op.args["ids"])
        receipts = op.args["receipts"] or []
        for msg_id, receipt, outcome in zip(op.args["ids"], receipts, outcomes, strict=False):
            if (msg_id, receipt) in by_receipt:
                by_receipt[msg_id, receipt].settles.append((op, outcome))
    return found


def check_overlaps(leases: dict[int, list[Lease]], crashes: Crashes, findings: Findings) -> dict[str, int]:
    """Compare each lease with the next one of the same message."""
    by_crash = 0
    for msg_id, chain in leases.items():
        for lease, following in itertools.pairwise(chain):
            by = following.given.op.ended or following.given.op.invoked
            lease.apply(crashes, by)
            start = following.given.start
            if start >= lease.hidden:
                continue
            if crashes.may_have_lost(lease.given.op, by):
                by_crash += 1
                continue
            findings.add(
                "overlapping_leases" if start < lease.end else "redelivered_before_vt",
                msg_id=msg_id, too_early_us=lease.hidden - start, asynchronous=lease.given.op.asynchronous,
                first=[lease.given.op.process, lease.given.op.number],
                second=[following.given.op.process, following.given.op.number],
            )  # fmt: skip
    return {"redelivered_early_after_a_crash": by_crash}


def check_held_open(given: list[Delivery], findings: Findings) -> None:
    """What a transaction has read and not yet ended is given to nobody else, whatever becomes of it."""
    by_id: dict[int, list[Delivery]] = defaultdict(list)
    for one in given:
        by_id[one.msg_id].append(one)
    for msg_id, chain in by_id.items():
        for one in chain:
            if one.closed is None or one.op.ended is None:
                continue
            for other in chain:
                inside = one.op.ended < other.op.invoked and (other.op.ended or one.closed) < one.closed
                if inside and (other.op.process, other.op.tx) != (one.op.process, one.op.tx):
                    findings.add(
                        "delivered_out_of_an_open_transaction",
                        msg_id=msg_id, first=[one.op.process, one.op.number], second=[other.op.process, other.op.number],
                    )  # fmt: skip


def check_receipts(
    history: History, leases: dict[int, list[Lease]], crashes: Crashes, findings: Findings
) -> None:
    """Only the receipt of the last durable claim settles anything."""
    for op in history.named("settle"):
        if op.args["receipts"] is None or op.kind != "ok":
            continue
        for msg_id, receipt, outcome in zip(
            op.args["ids"], op.args["receipts"], op.result["outcomes"], strict=True
        ):
            if outcome != "done":
                continue
            evidence = {"msg_id": msg_id, "verb": op.args["verb"], "by": op.process, "op": op.number}
            if op.args.get("forged"):
                findings.add("forged_receipt_accepted", **evidence)
            elif newer := _newer(leases.get(msg_id, []), receipt, op, crashes):
                holder = newer.given.op
                findings.add("stale_receipt_accepted", **evidence, holder=[holder.process, holder.number])


def _newer(chain: list[Lease], receipt: int, op: Operation, crashes: Crashes) -> Lease | None:
    """Return a durable claim that was confirmed after the receipt's own and before the settle began."""
    own = next((lease for lease in chain if lease.given.receipt == receipt), None)
    if own is None:
        return None
    for lease in chain:
        confirmed = lease.given.op.sure_from
        later = lease.given.start > own.given.start and confirmed is not None and confirmed < op.invoked
        if later and not crashes.may_have_lost(lease.given.op, op.invoked):
            return lease
    return None


def check_delays(accounts: Accounts, given: list[Delivery], findings: Findings) -> None:
    """A delayed send is not seen before its time."""
    due = {
        one.msg_id: one.op.result["at"] + one.op.args["delay"]
        for attempts in accounts.attempts.values()
        for one in attempts
        if one.op.kind == "ok" and one.op.args["delay"] and not one.op.args.get("key")
    }
    for one in given:
        if one.start < due.get(one.msg_id, 0):
            findings.add(
                "delivered_before_its_delay", msg_id=one.msg_id, too_early_us=due[one.msg_id] - one.start,
                reader=one.op.process, read=one.op.number,
            )  # fmt: skip
