"""Whether the run means anything: it came to its end, its faults happened, nobody died unseen, nothing was left behind."""

from __future__ import annotations

from typing import Any

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.model import Fate, History, lines

FAULTS_SHARE = 0.95
PHASES = ("load", "drain", "stopped")
LEAKS = ("sessions", "prepared", "processes", "sockets", "temp_files")


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Judge the run itself."""
    _check_end(history, findings)
    _check_deaths(history, findings)
    ended = sum(1 for life in history.lives.values() if any(fate is Fate.SURE for *_, fate in life.ends()))
    drained = sum(
        1 for life in history.lives.values() if life.dead or any(f is not Fate.NONE for *_, f in life.ends())
    )
    if drained < history.config["minimum"]:
        findings.add("too_little_drained", drained=drained, minimum=history.config["minimum"])
    return {
        "drained": drained,
        "settled_for_sure": ended,
        "operations": history.operations,
        "operations_in_doubt": history.in_doubt,
        "reconnects": history.reconnects,
        "clock_steps": history.clock.steps,
        "deadlocks": _growth(history, "deadlocks"),
        "processes": len(history.processes.by_name),
    } | _check_faults(history, findings)


def _check_end(history: History, findings: Findings) -> None:
    missing = [phase for phase in PHASES if phase not in history.phases]
    if missing:
        findings.add("run_without_an_end", missing_phases=missing)
    if history.drained is None or history.drained[0].kind != "ok" or history.drained[1]:
        op = history.drained[0] if history.drained else None
        left = history.drained[1] if history.drained else None
        findings.add("run_without_an_end", why="not drained", left=left, lines=lines(op))
    if history.leaks is None or history.leaks[0].kind != "ok":
        findings.add("run_without_an_end", why="nobody looked for what was left behind")
        return
    op, said = history.leaks
    left_behind = {name: said[name] for name in LEAKS if said[name]}
    if left_behind:
        findings.add("leaks", **left_behind, what=said.get("what", []), lines=lines(op))


def _check_deaths(history: History, findings: Findings) -> None:
    """A file that ends in the middle belongs to a process that is known to have died; else it may have been cut."""
    processes = history.processes
    for process in processes.by_name.values():
        known = processes.killed_by(process, history.faults.all) or processes.is_declared(process)
        cut_short = {history.kind(run.uid) for run in history.unfinished[process.name]}
        if not process.ended and not known and not cut_short & {"poison", "stale"}:
            findings.add(
                "died_unexplained", process=process.name, pid=process.pid, lines=[f"history-{process.name}.jsonl"]
            )  # fmt: skip


def _check_faults(history: History, findings: Findings) -> dict[str, Any]:
    planned = {fault["id"]: fault for fault in history.schedule["faults"]}
    happened = {fault.number for fault in history.faults.all if fault.happened}
    for fault in history.faults.all:
        wanted = planned.get(fault.number)
        if wanted is None or (wanted["fault"], wanted["class"]) != (fault.name, fault.kind):
            findings.add(
                "history_broken",
                why=f"fault {fault.number} is not that of the schedule",
                lines=lines(fault.op),
            )
        if fault.op.kind != "fail" and fault.healed is None:
            findings.add("fault_not_healed", fault=fault.name, lines=lines(fault.op))
    missing = [f"{number} {fault['fault']}" for number, fault in planned.items() if number not in happened]
    share = 1 - len(missing) / len(planned) if planned else 1.0
    if share < FAULTS_SHARE:
        findings.add("faults_missing", share=round(share, 3), missing=missing)
    return {
        "faults_planned": len(planned),
        "faults_happened": len(happened & set(planned)),
        "faults": dict(history.faults.happened()),
    }


def _growth(history: History, name: str) -> int:
    """Add up a counter of the server over the samples; a crash may have set it back."""
    total, last = 0, 0
    for _, sample in sorted(history.samples, key=lambda one: one[0]):
        value = sample.get(name, 0)
        if isinstance(value, int):
            total += value - last if value >= last else value
            last = value
    return total
