"""The table of runs: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLUMNS = (
    ("profile", 11),
    ("seed", 5),
    ("s", 6),
    ("sent", 7),
    ("delivered", 10),
    ("lost", 5),
    ("invented", 9),
    ("overlaps", 9),
    ("stuck", 6),
    ("unexplained", 12),
    ("faults", 8),
    ("redelivery max", 15),
    ("recovery max", 13),
)
HEAD = " ".join(name.rjust(width) for name, width in COLUMNS) + "  duplicates by cause"
COUNTED_AS = {
    "lost": "lost",
    "invented": "unexpected",
    "overlaps": "overlap",
    "stuck": "stuck",
    "unexplained": "unexplained_duplicate",
}
WRONG = {
    "barriers": ("barrier_lost", "barrier_stranded", "barrier_ends", "callbacks", "callback_too_early"),
    "claims": ("two_owners", "tombstone_ignored", "claim_not_fenced", "claim_undone"),
    "slots": ("slots",),
    "elections": ("two_leaders",),
}


def line(report: Mapping[str, Any], told: Mapping[str, Any], *, good: bool) -> str:
    """Return the line of a run: figures of the checker, and what it found broken."""
    figures, violations = report.get("figures", {}), report.get("violations", {})
    cells = {
        "profile": report.get("profile", "?"),
        "seed": report.get("seed", "?"),
        "s": told["took"],
        "sent": figures.get("sent", "?"),
        "delivered": figures.get("delivered", "?"),
        **{name: violations.get(word, 0) for name, word in COUNTED_AS.items()},
        "faults": f"{figures.get('faults_happened', '?')}/{figures.get('faults_planned', '?')}",
        "redelivery max": _longest(figures.get("redelivery_delay_ms")),
        "recovery max": _longest(figures.get("recovery_after_server_faults_ms")),
    }
    text = " ".join(str(cells[name]).rjust(width) for name, width in COLUMNS)
    causes = (
        ", ".join(f"{cause} {n}" for cause, n in figures.get("duplicates_by_cause", {}).items()) or "none"
    )
    causes += _coordination(figures, violations)
    control = " (control)" if report.get("negative_control") else ""
    if good and not control:
        return f"{text}  {causes}"
    broken = ", ".join(f"{name} {n}" for name, n in violations.items()) or "nothing"
    return f"{text}  {causes}\n      {'ok' if good else 'BAD'}{control}: found {broken}"


def _coordination(figures: Mapping[str, Any], violations: Mapping[str, int]) -> str:
    """Say how many barriers, claims, slots and elections there were, and how many of them were wrong."""
    numbers = {
        "barriers": sum(figures.get("barriers", {}).values()),
        "claims": figures.get("claims_claimed", 0),
        "slots": figures.get("slots_fired", 0),
        "elections": figures.get("elections", 0),
    }
    wrong = {name: sum(violations.get(one, 0) for one in WRONG[name]) for name in numbers}
    told = [f"{name} {number} ({wrong[name]} wrong)" for name, number in numbers.items() if number]
    return "".join(f"; {one}" for one in told)


def _longest(quantiles: Any) -> str:
    return (
        f"{quantiles['max']} ms"
        if isinstance(quantiles, Mapping) and quantiles.get("max") is not None
        else "-"
    )
