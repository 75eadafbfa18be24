"""Reads the folder of a run, and notes everything about it that is damaged, missing or not in the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests_integration.torture.verdict import audit, coordination
from tests_integration.torture.verdict.clock import Clock
from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Fields, Joiner, read_json_lines
from tests_integration.torture.verdict.model import History
from tests_integration.torture.verdict.processes import Process
from tests_integration.torture.verdict.shapes import (
    CLASSES,
    CONFIG,
    EVENTS,
    FAULT,
    FORMAT,
    QUEUE,
    WITNESSES,
    misfit,
)
from tests_integration.torture.verdict.sorting import Sorter

PLACES = {
    "effects.jsonl": "effect_rows",
    "final-messages.jsonl": "waiting",
    "final-dead.jsonl": "dead",
    "final-archive.jsonl": "archived",
}


def read(folder: Path, findings: Findings) -> History:
    """Put the history of a folder together. What can't be used is a finding, and left out."""
    config = _settings(folder, findings)
    history = History(config, _schedule(folder, findings))
    _check_sizes(folder, findings)
    sorter = Sorter(history)
    for path in sorted(folder.glob("history-*.jsonl")):
        _read_process(path, sorter, findings)
    history.clock = Clock.read(config.get("clock_offset_us", 0), sorter.readings)
    for name, place in PLACES.items():
        for row in _witness(folder, name, findings):
            life = history.life(row["queue"], row["msg_id"])
            if place == "effect_rows":
                life.effect_rows.append(row)
            else:
                setattr(life, place, row)
            if place == "dead" and row.get("redriven_as") is not None:
                history.redriven[row["queue"], row["redriven_as"]] = row["msg_id"]
    sorter.finish()
    if config.get("audit"):
        audit.merge(history, _witness(folder, "audit.jsonl", findings))
    if config.get("coordination"):
        barriers = _witness(folder, "barriers.jsonl", findings)
        coordination.merge(history, barriers, _witness(folder, "coordination.jsonl", findings))
    return history


def _read_process(path: Path, sorter: Sorter, findings: Findings) -> None:
    joiner = Joiner(path, findings)
    process: Process | None = None
    first = True
    for spoken in joiner.operations():
        if spoken.op.name == "process":
            if process is not None or spoken.op.n != 1:
                findings.add("history_broken", why="a second first line", lines=spoken.op.places)
            ended = spoken.op.kind != "info"
            args = spoken.args
            parent = args.get("ppid", 0)
            process = Process(joiner.p, args["pid"], parent, args["role"], spoken.op.began, ended, 0)
        else:
            sorter.take(spoken)
        first = False
    if process is None:
        findings.add("history_broken", why="empty" if first else "no process line", lines=[f"{path.name}:1"])
        return
    process.last_t = joiner.last_t
    sorter.history.processes.by_name[joiner.p] = process


def _check_sizes(folder: Path, findings: Findings) -> None:
    """Compare every file with the manifest, which is written when all processes are gone."""
    try:
        said = json.loads((folder / "manifest.json").read_text())["files"]
        expected = {name: one["bytes"] for name, one in said.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        findings.add("history_broken", why=f"no manifest.json that can be read: {error!r}")
        return
    found = {path.name: path.stat().st_size for path in folder.glob("*.jsonl")}
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            why = f"{found.get(name, 'no')} bytes, the manifest says {expected.get(name, 'none')}"
            findings.add("history_broken", why=why, lines=[name])


def _witness(folder: Path, name: str, findings: Findings) -> list[Fields]:
    path, rows = folder / name, []
    if not path.exists():
        findings.add("history_broken", why="missing", lines=[name])
        return []
    for number, fields in read_json_lines(path, findings, may_be_cut=False):
        problem = misfit(fields, WITNESSES[name])
        if name == "coordination.jsonl" and not problem:
            wanted = EVENTS.get(fields["what"])
            problem = "unknown event" if wanted is None else misfit(fields, wanted)
        if problem:
            findings.add("history_broken", why=problem, lines=[f"{name}:{number}"])
        else:
            rows.append(fields)
    return rows


def _settings(folder: Path, findings: Findings) -> dict[str, Any]:
    config = _object(folder / "config.json", findings)
    problem = misfit(config, CONFIG) or ("" if config.get("format") == FORMAT else f"format is not {FORMAT}")
    if isinstance(config.get("queues"), dict):
        for name, settings in config["queues"].items():
            problem = problem or (misfit(settings, QUEUE) and f"{name}: {misfit(settings, QUEUE)}")
    else:
        config["queues"] = {}
    if problem:
        findings.add("history_broken", why=problem, lines=["config.json"])
    return config


def _schedule(folder: Path, findings: Findings) -> dict[str, Any]:
    schedule = _object(folder / "schedule.json", findings)
    faults = schedule.get("faults")
    problem = "" if isinstance(faults, list) else "no list of faults"
    for fault in faults or []:
        problem = problem or misfit(fault, FAULT)
        if not problem and fault["class"] not in CLASSES:
            problem = f"unknown class {fault['class']}"
    if problem:
        findings.add("history_broken", why=problem, lines=["schedule.json"])
        return schedule | {"faults": []}
    return schedule


def _object(path: Path, findings: Findings) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        findings.add("history_broken", why=repr(error), lines=[path.name])
        return {}
    return found if isinstance(found, dict) else {}
