"""All checks over one run's folder, and the report that they make."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests_integration.torture.checker import accounts as books
from tests_integration.torture.checker.counts import check_cap, check_read_ct
from tests_integration.torture.checker.crashes import Crashes
from tests_integration.torture.checker.finding import Findings
from tests_integration.torture.checker.leases import (
    check_delays,
    check_held_open,
    check_overlaps,
    check_receipts,
    durable_leases,
)
from tests_integration.torture.checker.model import Delivery, Fate, History, build, deliveries
from tests_integration.torture.checker.restored import check_restored
from tests_integration.torture.checker.waits import Waits
from tests_integration.torture.history import read_lines

STUCK_SECONDS = 10
MINIMUM_DRAINED = 1000
FAULTS_SHARE = 0.95
MUST_HAPPEN = ("immediate", "kill_server", "dump", "snapshot", "long_writer", "prepared")
# What the faults and the load itself bring about. Anything else that the server says is a finding.
EXPECTED_STATES = {None, "57014", "57P01", "57P02", "57P03", "55P03", "40P01", "PQ006", "08006", "08003"}

Report = dict[str, Any]


def judge(folder: Path, *, minimum: int = MINIMUM_DRAINED) -> Report:
    """Check a folder, write its report.json and return the report; `ok` is the verdict."""
    schedule = json.loads((folder / "schedule.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    history = build(read_lines(folder))
    restored = [build(read_lines(place)) for place in sorted(folder.glob("restored-*"))]
    report = check(history, schedule, config["clock_offset"], restored, minimum=minimum)
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def check(
    history: History, schedule: Report, clock_offset: int, restored: list[History], *, minimum: int
) -> Report:
    """Run every check. `minimum` is how many messages have to have been settled for the run to count."""
    findings = Findings()
    crashes = Crashes(history)
    accounts = books.open_accounts(history)
    given = deliveries(history)
    leases = durable_leases(history, given)
    figures = books.check_lost(history, accounts, findings)
    books.check_invented(accounts, given, findings)
    figures |= books.check_after_the_end(accounts, given, crashes, findings)
    figures |= check_overlaps(leases, crashes, findings)
    check_held_open(given, findings)
    check_receipts(history, leases, crashes, findings)
    check_delays(accounts, given, findings)
    figures |= check_read_ct(leases, crashes, findings)
    settings = schedule["settings"]
    cap = settings["max_reads"] + settings["repark_budget"]
    check_cap(given, history.final.get("dead", []), cap, findings)
    waits = Waits(history, clock_offset, STUCK_SECONDS * 1_000_000_000, kind=schedule["kind"])
    waits.check(history, accounts, given, leases, findings)
    for one in restored:
        figures |= check_restored(history, accounts, one, crashes, findings)
    figures |= _figures(history, accounts, given) | {
        "longest_wait_ms": waits.longest // 1_000_000,
        "longest_wait_msg_id": waits.longest_of or 0,
    }
    _check_run(history, schedule, len(restored), figures["settled"], minimum, findings)
    return {
        "ok": not findings.counts,
        "seed": schedule["seed"],
        "kind": schedule["kind"],
        "profile": schedule["profile"],
        "violations": dict(findings.counts),
        "figures": figures,
        "faults": dict(Counter(op.args["fault"] for op in history.named("fault") if op.kind == "ok")),
        "errors": _errors(history),
        "side_tables_at_the_end": history.final.get("tables", {}),
        "cases": findings.cases,
    }


def _figures(history: History, accounts: books.Accounts, given: list[Delivery]) -> dict[str, int]:
    ends = Counter(r.verb for rs in accounts.removals.values() for r in rs if r.fate is Fate.DONE)
    ids = {one.msg_id for one in given if one.op.fate is Fate.DONE}
    durable = sum(1 for one in given if one.op.fate is Fate.DONE)
    return {
        "sent": sum(len(op.args["sends"]) for op in history.named("send")),
        "delivered": len(given),
        "delivered_and_rolled_back": sum(1 for one in given if one.op.fate is Fate.NONE),
        "redelivered": durable - len(ids),
        "settled": sum(ends.values()),
        "dead_by_the_cap": sum(1 for row in history.final.get("dead", ()) if row[1] == "hard_cap"),
        "operations": len(history.operations),
        "in_doubt": sum(1 for op in history.operations if op.fate is Fate.MAYBE and op.tx is None),
        "deadlocks": sum(1 for op in history.operations if op.result.get("state") == "40P01"),
    } | {f"by_{verb}": count for verb, count in ends.items()}


def _errors(history: History) -> dict[str, int]:
    found = Counter(f"{op.name} {op.result['state']}" for op in history.operations if "state" in op.result)
    return dict(found.most_common())


def _check_run(
    history: History, schedule: Report, restored: int, settled: int, minimum: int, findings: Findings
) -> None:
    """An empty run, or one whose faults did not happen, proves nothing."""
    for op in history.operations:
        state = op.result.get("state")
        if state not in EXPECTED_STATES:
            findings.add(
                "unexpected_error", state=state, by=op.process, op=op.name, text=op.result.get("text")
            )
    final = history.final
    if not final:
        findings.add("run_without_an_end")
    for failure in final.get("failures", ()):
        findings.add("worker_failed", what=failure)
    if final.get("depth"):
        findings.add("depth_is_not_zero", depth=final["depth"])
    for table, rows in final.get("tables", {}).items():
        if rows:
            findings.add("side_table_not_empty", table=table, rows=rows)
    if settled < minimum:
        findings.add("too_little_was_drained", settled=settled, minimum=minimum)
    happened = Counter(op.args["fault"] for op in history.named("fault") if op.kind == "ok")
    planned = Counter(fault["fault"] for fault in schedule["faults"])
    missing = {name: n - happened[name] for name, n in planned.items() if happened[name] < n}
    share = 1 - sum(missing.values()) / max(1, planned.total())
    if share < FAULTS_SHARE or any(name in missing for name in MUST_HAPPEN) or restored < planned["dump"]:
        findings.add("planned_faults_did_not_happen", missing=missing, dumps_restored=restored)
