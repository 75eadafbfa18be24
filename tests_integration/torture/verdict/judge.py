"""All checks over the folder of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests_integration.torture.verdict import folder as folders
from tests_integration.torture.verdict.checks import CHECKS
from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.report import as_markdown

MINIMUM = 1000
GREEN, RED, UNREADABLE = 0, 1, 2


@dataclass(slots=True)
class Verdict:
    """`code` is the exit code: 0 green, 1 a promise was broken, 2 the history can't be trusted."""

    report: dict[str, Any]
    code: int
    violations: dict[str, int] = field(default_factory=dict)


def judge(folder: Path, *, minimum: int = MINIMUM) -> Verdict:
    """Check a folder, and write its report.json and report.md.

    `minimum`: with fewer messages drained the run is red, since it means nothing.
    """
    findings = Findings()
    history = folders.read(folder, findings)
    history.config["minimum"] = minimum
    figures: dict[str, Any] = {}
    for check in CHECKS:
        figures |= check(history, findings)
    counts = dict(findings.counts)
    code = UNREADABLE if "history_broken" in counts else RED if counts else GREEN
    config = history.config
    report = {
        "ok": code == GREEN,
        "exit_code": code,
        **{
            name: config.get(name)
            for name in ("seed", "profile", "seconds", "commit", "versions", "repro", "negative_control")
        },
        "kinds": sorted({str(queue.get("kind")) for queue in config["queues"].values()}),
        "violations": counts,
        "figures": figures,
        "cases": findings.cases,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1, default=str) + "\n")
    (folder / "report.md").write_text(as_markdown(report))
    return Verdict(report, code, counts)
