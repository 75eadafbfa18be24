"""A claim has one owner at a time by the database's clock, none after its end, and its work is done in the end."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Fields, Spoken
from tests_integration.torture.verdict.model import History, lines

RUNNING, FREE, DONE = "running", "free", "done"
TURNS = {RUNNING: {RUNNING, FREE, DONE}, FREE: {FREE}, DONE: {DONE}}  # under one token
Name = tuple[str, str]


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Go through the versions of every claim, and through what its callers were answered."""
    told = history.coordination
    counts: Counter[str] = Counter()
    dead = {life.dead["uid"] for life in history.lives.values() if life.dead is not None}
    for name, versions in told.claims.items():
        counts["claimed"] += 1
        for before, after in itertools.pairwise(versions):
            _check_turn(name, before, after, findings, counts)
        counts["finished"] += versions[-1]["state"] == DONE
        if versions[-1]["state"] in (RUNNING, FREE) and versions[-1]["holder"] not in dead:
            findings.add("claim_undone", name=name, last=versions[-1])
    for name, calls in told.callers.items():
        _check_answers(name, calls, told.claims.get(name, []), findings, counts)
    return {
        f"claims_{word}": counts[word] for word in ("claimed", "taken_over", "finished", "refused", "lost")
    }


def _check_turn(name: Name, before: Fields, after: Fields, findings: Findings, counts: Counter[str]) -> None:
    """One version of a claim follows another."""
    evidence = {"name": name, "before": before, "after": after}
    if after["state"] == "forgotten" or before["state"] == "forgotten":
        if before["state"] == DONE and before["db_until"] > after["db_at"]:
            findings.add("tombstone_ignored", **evidence)
    elif after["token"] == before["token"]:
        if after["state"] not in TURNS[before["state"]]:
            findings.add("claim_not_fenced", why="it came back under the same token", **evidence)
    elif after["token"] < before["token"]:
        findings.add("claim_not_fenced", why="an older token", **evidence)
    elif before["state"] == RUNNING:
        counts["taken_over"] += 1
        if before["db_until"] > after["db_from"]:
            findings.add("two_owners", early_us=before["db_until"] - after["db_from"], **evidence)
    elif before["state"] == DONE and before["db_until"] > after["db_from"]:
        findings.add("tombstone_ignored", **evidence)


def _check_answers(
    name: Name, calls: list[Spoken], versions: list[Fields], findings: Findings, counts: Counter[str]
) -> None:
    """What a caller was told fits what the server has; the server's own list is not needed for the tombstone."""
    granted = {version["token"] for version in versions}
    ended = {version["token"] for version in versions if version["state"] == DONE}
    tokens: dict[int, Spoken] = {}
    finishes = [call for call in calls if call.op.name == "finish_claim" and call.op.kind == "ok"]
    for call in calls:
        if call.op.name != "try_claim" or call.op.kind != "ok":
            counts["lost"] += call.op.kind == "fail"
            continue
        token = call.result["answer"]
        if token is None:
            counts["refused"] += 1
        elif token in tokens:
            findings.add("two_owners", name=name, token=token, lines=lines(tokens[token].op, call.op))
        elif token not in granted:
            findings.add(
                "claim_not_fenced", name=name, why="no such token", token=token, lines=lines(call.op)
            )
        else:
            tokens[token] = call
            over = [one for one in finishes if (one.op.ended or 0) < call.op.began]
            if over:
                findings.add("tombstone_ignored", name=name, token=token, lines=lines(over[0].op, call.op))
    for call in finishes:
        if call.args["token"] not in ended:
            findings.add(
                "claim_not_fenced", name=name, why="its end was confirmed, and is not there", lines=lines(call.op)
            )  # fmt: skip
