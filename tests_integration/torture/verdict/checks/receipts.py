"""Only the receipt of the last durable lease settles anything, and nothing comes back after its end."""

from __future__ import annotations

from typing import Any

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Op
from tests_integration.torture.verdict.model import ENDINGS, FATES, Fate, History, Lease, Life, lines

WORKERS = frozenset({"consumer", "supervisor"})
Accepted = tuple[Op, str, int | None]


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Look at every settle and every commit that the database accepted for sure."""
    taken_back = 0
    for life in history.lives.values():
        accepted: list[Accepted] = [(s.op, s.verb, s.receipt) for s in life.settles if s.fate is Fate.SURE]
        accepted += [(e.op, "delete", e.receipt) for e in life.effects if FATES[e.op.kind] is Fate.SURE]
        for one in accepted:
            _check_receipt(one, life, history, findings)
        taken_back += _check_after_the_end(
            [one for one in accepted if one[1] in ENDINGS], life, history, findings
        )
    return {"acks_lost_in_a_crash": taken_back}


def _check_receipt(accepted: Accepted, life: Life, history: History, findings: Findings) -> None:
    op, verb, receipt = accepted
    evidence = {"queue": life.queue, "msg_id": life.msg_id, "verb": verb, "receipt": receipt}
    if receipt is None:
        process = history.processes.by_name.get(op.p)
        if process is not None and process.role in WORKERS:
            findings.add("ack_without_receipt", **evidence, lines=lines(op))
        return
    own = [lease for lease in life.leases if lease.receipt == receipt]
    if not own:
        findings.add("phantom_ack", **evidence, lines=lines(op))
    elif newer := _newer(own[0], op, life, history):
        findings.add("late_effect", uid=newer.uid, **evidence, lines=lines(own[0].op, newer.op, op))


def _newer(own: Lease, op: Op, life: Life, history: History) -> Lease | None:
    """Return a durable lease that was confirmed after the receipt's own and before the settle went out."""
    if op.is_audit and history.clock.steps:  # when that was is then not known well enough
        return None
    for lease in life.leases:
        sure = None if lease.op.is_audit and history.clock.steps else lease.op.ended
        if lease.at <= own.at or sure is None or sure >= op.began or lease.receipt == own.receipt:
            continue
        if not history.taken_back(life, lease.op, "claim", lease.receipt, op.began):
            return lease
    return None


def _check_after_the_end(
    ends: list[Accepted], life: Life, history: History, findings: Findings
) -> int:  # fmt: skip
    """Return how many confirmed ends a crash has taken back."""
    crashed = set()
    for op, verb, receipt in ends:
        sure = op.ended
        if sure is None or (op.is_audit and history.clock.steps):
            continue
        for lease in life.leases:
            if lease.op.began <= sure or lease.op.is_audit:
                continue
            if history.taken_back(life, op, verb, receipt, lease.op.ended or lease.op.began):
                crashed.add(op)
                continue
            findings.add(
                "delivered_after_ack",
                uid=lease.uid, queue=life.queue, msg_id=life.msg_id, verb=verb, lines=lines(op, lease.op),
            )  # fmt: skip
    last = max((op.ended or 0 for op, *_ in ends), default=0)
    kept = [end for end in ends if not history.taken_back(life, *end, last)]
    if len(kept) > 1:
        findings.add(
            "settled_twice", queue=life.queue, msg_id=life.msg_id, verbs=[verb for _, verb, _ in kept],
            lines=lines(*[op for op, *_ in kept]),
        )  # fmt: skip
    return len(crashed)
