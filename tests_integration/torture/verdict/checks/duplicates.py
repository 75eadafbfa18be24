"""Every run of a handler beyond the first has a cause that the history proves, or it is a violation."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from tests_integration.torture.verdict.checks.leases import earliest_end
from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Op
from tests_integration.torture.verdict.model import ENDINGS, EXTEND, Fate, History, Lease, Life, Run, lines

UNEXPLAINED = "unexplained"
CUT = ("connection", "pooler", "server", "clock")
HANGS = ("poison", "stale")
NAMES = {"server": "server fault", "pooler": "connection"}


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Go through the runs of each uid in their order."""
    by_uid: dict[str, list[Run]] = defaultdict(list)
    for life in history.lives.values():
        for run in life.runs:
            by_uid[run.uid or f"{life.queue}/{life.msg_id}"].append(run)
    causes: Counter[str] = Counter()
    for uid, runs in by_uid.items():
        runs.sort(key=lambda run: run.op.began)
        for index, run in enumerate(runs[1:], 1):
            cause = _cause(runs[index - 1], run, history)
            causes[cause] += 1
            if cause == UNEXPLAINED:
                earlier = runs[index - 1]
                findings.add(
                    "unexplained_duplicate",
                    uid=uid, queue=run.queue, msg_id=run.msg_id, receipts=[earlier.receipt, run.receipt],
                    lines=lines(earlier.op, run.op),
                )  # fmt: skip
    started = sum(len(runs) for runs in by_uid.values())
    return {
        "started": started,
        "distinct": len(by_uid),
        "duplicates": causes.total(),
        "duplicates_by_cause": dict(causes.most_common()),
        "duplicate_rate": round(causes.total() / max(1, started), 4),
    }


def _cause(earlier: Run, run: Run, history: History) -> str:
    """Say why the later run happened although there had been the earlier one."""
    if (earlier.queue, earlier.msg_id) != (run.queue, run.msg_id):
        redriven = history.original(run.queue, run.msg_id) != run.msg_id
        same = history.original(earlier.queue, earlier.msg_id) == history.original(run.queue, run.msg_id)
        return "operator" if redriven and same else UNEXPLAINED
    if earlier.receipt == run.receipt:
        return UNEXPLAINED
    life = history.lives[run.queue, run.msg_id]
    leases = {lease.receipt: lease for lease in life.leases}
    old, new = leases.get(earlier.receipt), leases.get(run.receipt)
    if old is None or new is None:
        return UNEXPLAINED
    if new.at < old.at:  # a worker began late what somebody else had taken over in the meantime
        earlier, run, old, new = run, earlier, new, old
    settled = _by_settle(earlier, run, life, history)
    if settled is not None:
        return settled
    if history.taken_back(life, old.op, "claim", old.receipt, run.op.began):
        return "server fault"
    return _lapsed(earlier, run, old, new, life, history)


def _by_settle(earlier: Run, run: Run, life: Life, history: History) -> str | None:
    """Say the cause where a settle under the earlier receipt decides it; None when the lease lapsed."""
    doubtful = False
    given_back = None
    settles = [s for s in life.settles if s.receipt == earlier.receipt and s.op.began < run.op.began]
    for settle in settles:
        if settle.verb in {"retry", "release"} and settle.fate is not Fate.NONE:
            given_back = settle.op
        elif settle.verb in ENDINGS and settle.fate is Fate.SURE:
            return _after_an_end(settle.op, settle.verb, earlier, run, life, history)
        elif settle.verb != EXTEND:
            # Never answered, also where it is known by now that it came to nothing; or refused in time.
            refused = settle.op.kind == "fail" and (settle.op.ended or 0) < run.op.began
            doubtful = doubtful or settle.fate is Fate.MAYBE or settle.op.doubted or refused
    for effect in life.effects:
        if effect.receipt == earlier.receipt and effect.op.began < run.op.began:
            if effect.op.kind == "ok":
                return _after_an_end(effect.op, "delete", earlier, run, life, history)
            doubtful = doubtful or effect.op.kind == "info" or effect.op.doubted
    if given_back is not None:
        return "given back" if given_back.p == earlier.op.p else _death(earlier, run, history) or "operator"
    return _death(earlier, run, history) or "lost reply" if doubtful else None


def _after_an_end(op: Op, verb: str, earlier: Run, run: Run, life: Life, history: History) -> str:
    crashed = history.taken_back(life, op, verb, earlier.receipt, run.op.began)
    return "server fault" if crashed else UNEXPLAINED


def _lapsed(earlier: Run, run: Run, old: Lease, new: Lease, life: Life, history: History) -> str:
    """Say why the holder let its lease lapse."""
    # Whoever took it next may have given it back unstarted: the clock need not have been past that lease's end any more.
    taker = min(
        (one for one in life.leases if old.at < one.at <= new.at), key=lambda one: one.at, default=new
    )
    if taker.db_from < earliest_end(old, life, history, taker.op.ended or taker.op.began):
        return UNEXPLAINED
    death = _death(earlier, run, history)
    if death is not None:
        return death
    since, until = old.op.began, max(run.op.began, earlier.op.began)
    process = history.processes.by_name.get(earlier.op.p)
    for fault in history.faults.of("pause"):
        if process is not None and process.pid in fault.pids and fault.overlaps(since, until):
            return "pause"
    beside = [one for one in history.unfinished[earlier.op.p] if one.op.began < until]
    if any(history.kind(one.uid) in HANGS for one in beside):
        return "poison"  # it held up its whole process, also what that had to say of others
    limit = history.setting(life.queue, "health_stale_us") * 1000
    if limit and (earlier.op.ended or until) - earlier.op.began >= limit:
        return "deadline"
    for fault in history.faults.of(*CUT):
        if fault.hits(earlier.op.p) and fault.overlaps(since, until):
            return NAMES.get(fault.kind, fault.kind)
    return UNEXPLAINED


def _death(earlier: Run, run: Run, history: History) -> str | None:
    """Say what the process of the earlier run died of before the later one."""
    process = history.processes.by_name.get(earlier.op.p)
    if process is None or process.ended or process.last_t > run.op.began:
        return None
    if history.processes.killed_by(process, history.faults.all, run.op.began):
        return "kill"
    cut_short = history.unfinished[process.name]
    if any(history.kind(one.uid) == "poison" for one in cut_short):
        return "poison"
    limit = history.setting(run.queue, "health_stale_us") * 1000
    if limit and any(run.op.began - one.op.began >= limit for one in cut_short):
        return "deadline"
    return "kill" if history.processes.is_declared(process) else None
