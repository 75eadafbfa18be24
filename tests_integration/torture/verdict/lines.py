"""Reads histories line by line and puts invokes and ends together. What doesn't fit is a finding, never skipped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.shapes import ENDS, SHAPES, Shape, integer, misfit, text, uneven

Fields = dict[str, Any]
AUDIT = "audit"  # the `p` of what only the server knows
HEAD = {"t": integer, "p": text, "n": integer, "op": text, "type": text}


@dataclass(slots=True, eq=False)
class Op:
    """One operation of one process. `began` and `ended` are monotonic ns; `kind` ok, fail or info.

    Without an end (a killed process) it is `info`, and `ended` is None. `line` and `end_line` count from 1.
    `doubted`: nobody knew what became of it, and the audit has decided.
    """

    p: str
    n: int
    name: str
    began: int
    line: int
    kind: str = "info"
    ended: int | None = None
    end_line: int | None = None
    asynchronous: bool = False
    repeated: bool = False
    doubted: bool = False

    @property
    def is_audit(self) -> bool:
        """Tell whether only the server knows of it."""
        return self.p == AUDIT

    @property
    def places(self) -> list[str]:
        """Where to look it up."""
        if self.is_audit:
            return [f"audit.jsonl:{self.line}"]
        found = [f"history-{self.p}.jsonl:{self.line}"]
        return found if self.end_line in {None, self.line} else [f"{found[0]}-{self.end_line}"]


@dataclass(slots=True)
class Spoken:
    """An operation with what its lines said; only as long as it is being sorted in."""

    op: Op
    args: Fields
    result: Fields = field(default_factory=dict)


def read_json_lines(path: Path, findings: Findings, *, may_be_cut: bool) -> Iterator[tuple[int, Fields]]:
    """Yield the objects of a file. A last line without its end is left out where a kill may have cut it."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.endswith(b"\n") and may_be_cut:
                return
            try:
                fields = json.loads(raw)
            except ValueError:
                fields = None
            if isinstance(fields, dict) and raw.endswith(b"\n"):
                yield number, fields
            else:
                findings.add("history_broken", why="no whole JSON object", lines=[f"{path.name}:{number}"])


class Joiner:
    """Puts the lines of one file together. `last_t` is when the process was last heard of."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self.p = path.name.removeprefix("history-").removesuffix(".jsonl")
        self.last_t = 0
        self._path = path
        self._findings = findings
        self._open: dict[int, Spoken] = {}
        self._next = 1

    def operations(self) -> Iterator[Spoken]:
        """Yield each operation when its end is reached, and at the end of the file those that have none."""
        for number, fields in read_json_lines(self._path, self._findings, may_be_cut=True):
            problem = misfit(fields, HEAD) or self._strange(fields)
            if problem:
                self._broken(problem, number)
                continue
            self.last_t = max(self.last_t, fields["t"])
            spoken = self._begin(fields, number) if self._begins(fields) else self._end(fields, number)
            if spoken is not None:
                yield spoken
        yield from self._open.values()

    def _strange(self, fields: Fields) -> str:
        if fields["p"] != self.p:
            return f"a line of {fields['p']}"
        if fields["op"] not in SHAPES:
            return f"unknown operation {fields['op']}"
        if fields["type"] not in (*ENDS, "invoke"):
            return f"unknown type {fields['type']}"
        return ""

    def _begins(self, fields: Fields) -> bool:
        return fields["type"] == "invoke" or SHAPES[fields["op"]].alone

    def _begin(self, fields: Fields, number: int) -> Spoken | None:
        shape = SHAPES[fields["op"]]
        if fields["n"] != self._next:
            self._broken(f"operation {fields['n']} follows {self._next - 1}", number)
        self._next = max(self._next, fields["n"]) + 1
        problem = misfit(fields, shape.ok if shape.alone else shape.invoke) or uneven(shape, fields, {})
        if problem:
            self._broken(f"{fields['op']}: {problem}", number)
            return None
        op = Op(
            self.p, fields["n"], fields["op"], fields["t"], number, asynchronous=bool(fields.get("async"))
        )
        spoken = Spoken(op, fields)
        if not shape.alone:
            self._open[op.n] = spoken
            return None
        op.kind, op.ended, op.end_line, spoken.result = fields["type"], op.began, number, fields
        return spoken

    def _end(self, fields: Fields, number: int) -> Spoken | None:
        spoken = self._open.pop(fields["n"], None)
        if spoken is None:
            self._broken(f"the end of an operation {fields['n']} that is not open", number)
            return None
        op, shape = spoken.op, SHAPES[fields["op"]]
        problem = self._misfit_of_end(spoken, fields, shape)
        if problem:
            self._broken(f"{fields['op']}: {problem}", number)
            return spoken  # as if it had no end: less is known, and the run is red already
        op.kind, op.ended, op.end_line = fields["type"], fields["t"], number
        op.repeated = bool(fields.get("repeated"))
        spoken.result = fields
        return spoken

    def _misfit_of_end(self, spoken: Spoken, fields: Fields, shape: Shape) -> str:
        if fields["op"] != spoken.op.name:
            return f"operation {fields['n']} began as {spoken.op.name}"
        if fields["t"] < spoken.op.began:
            return "it ends before it begins"
        if fields["type"] != "ok":
            return ""
        return misfit(fields, shape.ok) or uneven(shape, spoken.args, fields)

    def _broken(self, why: str, number: int) -> None:
        self._findings.add("history_broken", why=why, lines=[f"{self._path.name}:{number}"])
