"""The report for people: the verdict first, then what was broken and where, then the figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests_integration.torture.verdict.findings import VIOLATIONS

VERDICTS = {0: "every promise held", 1: "VIOLATIONS", 2: "THE HISTORY CAN'T BE TRUSTED"}


def as_markdown(report: Mapping[str, Any]) -> str:
    """Return report.md."""
    kinds = " and ".join(report["kinds"]) or "?"
    verdict = VERDICTS[report["exit_code"]]
    parts = [
        f"# Profile {report['profile']}, seed {report['seed']}, {report['seconds']} s, {kinds}: {verdict}",
        f"Again: `{report['repro']}` (commit {report['commit']}, {_flat(report['versions'] or {})})",
    ]
    if report["negative_control"]:
        parts.append("A negative control: this run has to be red.")
    if report["violations"]:
        parts += ["## Violations", *_violations(report)]
    parts += ["## Figures", _table(report["figures"])]
    return "\n\n".join(parts) + "\n"


def _violations(report: Mapping[str, Any]) -> list[str]:
    found = []
    for name, count in report["violations"].items():
        cases = "\n".join(f"- `{json.dumps(case, default=str)}`" for case in report["cases"][name])
        found.append(f"### {name}: {count}\n\n{VIOLATIONS[name].capitalize()}.\n\n{cases}")
    return found


def _table(figures: Mapping[str, Any]) -> str:
    rows = [f"| {name.replace('_', ' ')} | {_flat(value)} |" for name, value in figures.items()]
    return "\n".join(["| figure | |", "| --- | --- |", *rows])


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_flat(inner)}" for name, inner in value.items()) or "-"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return str(value)


def one_line(report: Mapping[str, Any]) -> str:
    """Return what a terminal shows of a run."""
    figures = report["figures"]
    broken = ", ".join(f"{name} {count}" for name, count in report["violations"].items())
    return (
        f"{report['profile']} seed {report['seed']}: {VERDICTS[report['exit_code']]}"
        f" · {figures['confirmed']} confirmed, {figures['delivered']} delivered, {figures['acked']} acked,"
        f" {figures['dead']} dead, {figures['duplicates']} duplicates ({_flat(figures['duplicates_by_cause'])}),"
        f" {figures['faults_happened']} of {figures['faults_planned']} faults, longest wait {figures['longest_wait_ms']} ms"
        f"{' · ' + broken if broken else ''}"
    )
