"""One process leads at a time by the database's clock, and only who leads begins a chore."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from tests_integration.torture.verdict.checks.stuck import quantiles
from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Fields
from tests_integration.torture.verdict.model import History


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Go through the versions of each leader's lease, then through what was done under them."""
    told = history.coordination
    counts: Counter[str] = Counter()
    takeovers: list[int] = []
    for versions in told.leads.values():
        counts["elections"] += 1
        for before, after in itertools.pairwise(versions):
            if after["token"] != before["token"]:
                counts["elections"] += 1
                _check_election(before, after, findings, takeovers)
            elif after["holder"] not in (None, before["holder"]):
                findings.add("two_leaders", why="two holders of one token", before=before, after=after)
    _check_sweeps(history, findings)
    if not counts:
        return {}
    return {
        "elections": counts["elections"],
        "chores_begun": len(told.sweeps),
        "takeover_after_lapse_ms": quantiles(sorted(takeovers)),
    }


def _check_election(before: Fields, after: Fields, findings: Findings, takeovers: list[int]) -> None:
    """A new leader, after one that has lapsed, or has given its lease back, or is the same process once more."""
    if after["token"] < before["token"]:
        findings.add("two_leaders", why="an older token", before=before, after=after)
    if before["holder"] in (None, after["holder"]):
        return
    if before["db_until"] > after["db_from"]:
        early = before["db_until"] - after["db_from"]
        findings.add("two_leaders", why="elected too early", early_us=early, before=before, after=after)
    else:
        takeovers.append((after["db_from"] - before["db_until"]) * 1000)


def _check_sweeps(history: History, findings: Findings) -> None:
    """Each chore was begun under a lease that ran, and no chore under an older token than before."""
    versions = history.coordination.leads.get("reaper", [])
    last: dict[str, int] = {}
    for sweep in history.coordination.sweeps:
        token, began = sweep["token"], sweep["db_began"]
        own = [one for one in versions if one["token"] == token]
        if not any(one["db_from"] <= began < one["db_until"] for one in own):
            if not (own and history.clock.steps):
                findings.add("two_leaders", why="a chore was begun without a lease", sweep=sweep)
        elif not history.clock.steps and any(
            one["token"] > token and one["db_from"] < began for one in versions
        ):
            findings.add("two_leaders", why="a chore was begun after the next election", sweep=sweep)
        if token < last.get(sweep["chore"], 0):
            findings.add("two_leaders", why="a chore went back to an older leader", sweep=sweep)
        last[sweep["chore"]] = token
