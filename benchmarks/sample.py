"""What a run measured, and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """What one system did in one case in one round.

    Names of values end in their unit: `rate` is messages a second, `_us` microseconds a message, `_ms`
    milliseconds, `_bytes` bytes. A value that could not be measured here is left out. `series` are values over
    time or over repetitions. `run` tells runs apart whose rounds have the same number.
    """

    part: str
    case: str
    system: str
    round: int
    values: dict[str, float]
    series: dict[str, list[float]] = field(default_factory=dict)
    run: int = 0


@dataclass(slots=True)
class Run:
    """The samples of one start of the harness, and what a reader has to know of it."""

    facts: dict[str, str]
    samples: list[Sample]


def read_part(path: Path) -> list[Run]:
    """Return the runs that a file holds; none when it is missing."""
    if not path.is_file():
        return []
    found = json.loads(path.read_text())["runs"]
    return [
        Run(run["facts"], [Sample(**(each | {"run": number})) for each in run["samples"]])
        for number, run in enumerate(found)
    ]


def write_part(path: Path, run: Run) -> None:
    """Add a run; what older runs hold of the same case and system is thrown away."""
    again = {(sample.case, sample.system) for sample in run.samples}
    kept = []
    for older in read_part(path):
        older.samples = [sample for sample in older.samples if (sample.case, sample.system) not in again]
        if older.samples:
            kept.append(older)
    path.parent.mkdir(parents=True, exist_ok=True)
    runs = [{"facts": each.facts, "samples": _rows(each.samples)} for each in (*kept, run)]
    path.write_text(json.dumps({"runs": runs}, indent=1) + "\n")


def read_folder(folder: Path) -> dict[str, list[Run]]:
    """Return the runs of each part by the part's name."""
    return {path.stem: read_part(path) for path in sorted(folder.glob("*.json"))}


def samples_of(runs: Iterable[Run]) -> list[Sample]:
    return [sample for run in runs for sample in run.samples]


def _rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    rows = []
    for sample in samples:
        row = asdict(sample)
        del row["run"]
        row["values"] = {name: _short(value) for name, value in row["values"].items()}
        row["series"] = {name: [_short(v) for v in values] for name, values in row["series"].items()}
        rows.append(row)
    return rows


def _short(value: float) -> float:
    return float(f"{value:.6g}")
