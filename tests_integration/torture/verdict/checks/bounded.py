"""How often a message may be read, and what has to be in the dead letters."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.model import Attempt, Fate, History, Lease, Life, Run, lines

BY_ITS_HANDLER = frozenset(
    {"bury", "malformed", "unknown"}
)  # kinds of messages whose handler, or lack of one, buries
BY_THE_READ = "hard_cap"  # whose handler may have killed the process each time, before it could say anything
ERROR_SHOWN = 60
DIED = "worker process died"


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Look at every message's reads, and at every dead letter."""
    kinds = {one.where: one for attempts in history.attempts.values() for one in attempts if one.where}
    most = 0
    for (queue, msg_id), life in history.lives.items():
        most = max(most, _check_reads(life, history, findings))
        if life.dead is not None:
            sent = kinds.get((queue, history.original(queue, msg_id)))
            _check_dead(life, sent, history, findings)
    for one in history.confirmed():
        if one.kind == "poison":
            _check_poison(one, history, findings)
    reasons = Counter(life.dead["reason"] for life in history.lives.values() if life.dead is not None)
    return {"most_reads": most, "dead_by_reason": dict(reasons)}


def _check_reads(life: Life, history: History, findings: Findings) -> int:
    allowed = history.setting(life.queue, "max_reads")
    cap = allowed + history.setting(life.queue, "repark_budget")
    dead = life.dead
    counted = max([lease.counted for lease in life.leases], default=0)
    if dead is not None:
        counted = max(counted, dead["read_ct"] - dead["release_ct"])
    # Counted here as well, since the number in the row may be what is wrong.
    seen = len({lease.receipt for lease in life.leases}) - _uncounted(life, history)
    if max(counted, seen) > cap:
        last = life.leases[-1] if life.leases else None
        findings.add(
            "unbounded",
            uid=last.uid if last else None, queue=life.queue, msg_id=life.msg_id, cap=cap, by_its_row=counted,
            reads_seen=seen, lines=lines(*[lease.op for lease in life.leases[-3:]]),
        )  # fmt: skip
    for run in life.runs:
        if run.counted > allowed:
            findings.add(
                "ran_past_max_reads",
                uid=run.uid, queue=life.queue, msg_id=life.msg_id, attempt=run.counted, max_reads=allowed,
                lines=lines(run.op),
            )  # fmt: skip
    return max(counted, seen)


def _uncounted(life: Life, history: History) -> int:
    """Count the reads that may not count: given back by a release, or taken back by a crash."""
    released = {s.receipt for s in life.settles if s.verb == "release" and s.fate is not Fate.NONE}

    def crashed(lease: Lease) -> bool:
        return history.taken_back(life, lease.op, "claim", lease.receipt, 2**63)

    return sum(1 for lease in life.leases if lease.receipt in released or crashed(lease))


def _check_dead(life: Life, sent: Attempt | None, history: History, findings: Findings) -> None:
    row = life.dead
    assert row is not None  # the caller has looked
    counted = row["read_ct"] - row["release_ct"]
    used_up = counted >= history.setting(life.queue, "max_reads")
    answered = any(run.answer == "bury" for run in life.runs)
    expected = sent is not None and sent.kind in BY_ITS_HANDLER
    by_hand = any(s.verb == "bury" and s.receipt is None and s.fate is not Fate.NONE for s in life.settles)
    if not (used_up or answered or expected or by_hand):
        ops = [s.op for s in life.settles if s.verb == "bury"]
        findings.add(
            "buried_without_cause",
            uid=row["uid"], queue=life.queue, msg_id=life.msg_id, reason=row["reason"], attempts=counted,
            lines=lines(*[run.op for run in life.runs], *ops),
        )  # fmt: skip


def _settled_by_itself(life: Life, run: Run) -> bool:
    return any(settle.receipt == run.receipt and settle.op.p == run.op.p for settle in life.settles)


def _check_poison(sent: Attempt, history: History, findings: Findings) -> None:
    """What always fails is dead in the end, with its whole payload and the last thing that went wrong."""
    life = history.lives.get((sent.queue, sent.msg_id or 0)) or Life(sent.queue, sent.msg_id or 0)
    row, why = life.dead, ""
    errors = [run.error for run in life.runs if run.op.kind == "fail" and run.error]
    if row is None:
        why = "not in the dead letters"
    elif row["hash"] != sent.hash:
        why = "its payload is not whole"
    elif not row["error"] and (errors or row["reason"] != BY_THE_READ):
        why = "without an error"
    elif DIED in (row["error"] or "") and life.runs and not _settled_by_itself(life, life.runs[-1]):
        pass  # the process of the last run died before it could say what had gone wrong there
    elif errors and errors[-1][:ERROR_SHOWN] not in (row["error"] or ""):
        why = f"its last error is missing: {errors[-1][:ERROR_SHOWN]}"
    if why:
        findings.add(
            "poison_not_buried",
            uid=sent.uid, queue=sent.queue, msg_id=sent.msg_id, why=why,
            lines=lines(sent.op, *[run.op for run in life.runs[-2:]]),
        )  # fmt: skip
