"""Runs made by hand: one call of a test is one operation, one unit of time a millisecond.

The database's clock and the machine's are the same here, so the bounds of a lease are milliseconds as well.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests_integration.torture.verdict.judge import Verdict, judge

MS = 1_000_000
VT = 1_000
STALE = 20_000
HASH = 7
QUEUE = "q"
LEFT = dict.fromkeys(("sessions", "prepared", "processes", "sockets", "temp_files"), 0)


class Chronicle:
    """Collects the lines of a run; `judged` writes them into a folder and has it checked."""

    def __init__(self, kind: str = "row") -> None:
        self.now = 10_000
        self.lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.faults: list[dict[str, Any]] = []
        self.tables: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("effects", "final-messages", "final-dead", "final-archive")
        }
        self.config: dict[str, Any] = {
            "format": 1, "seed": 1, "profile": "by-hand", "seconds": 1, "clock_offset_us": 0, "audit": False,
            "liveness_us": 10**12,
            "queues": {QUEUE: {"kind": kind, "vt_us": VT * 1000, "health_stale_us": STALE * 1000, "max_reads": 3,
                               "repark_budget": 2}},
        }  # fmt: skip
        self._numbers: dict[str, int] = {}
        self.unended: set[str] = set()
        self.left = 0
        self.leaks = dict(LEFT)
        self.phase("load")

    # --- the two ways to write lines

    def wait(self, ms: int) -> Chronicle:
        self.now += ms
        return self

    def op(
        self, p: str, op: str, *, result: dict[str, Any] | None = None, end: str = "ok", took: int = 1, **args: Any
    ) -> dict[str, Any]:  # fmt: skip
        """Write an invoke now and its end `took` later; `end=""` writes none. Return the invoke."""
        invoke = self._line(p, op, "invoke", args)
        self.now += took
        if end:
            self.end(invoke, end, **(result or {}))
        self.now += 1
        return invoke

    def end(self, invoke: dict[str, Any], end: str = "ok", **result: Any) -> None:
        """Write the end of an operation that was left open."""
        head = {name: invoke[name] for name in ("p", "n", "op")}
        self.lines[invoke["p"]].append({"t": self.now * MS, "type": end} | head | result)

    def alone(self, p: str, op: str, **fields: Any) -> None:
        self._line(p, op, "ok", fields)
        self.now += 1

    def pid(self, p: str) -> int:
        self._born(p)
        pid: int = self.lines[p][0]["pid"]
        return pid

    # --- operations

    def send(
        self, uid: str, msg_id: int, kind: str = "plain", *, end: str = "ok", delay: int = 0, key: str | None = None,
        tx: int | None = None, p: str = "producer-0.1", digest: int = HASH,
    ) -> dict[str, Any]:  # fmt: skip
        result = {"ids": [msg_id]} if end == "ok" else {}
        return self.op(
            p, "send", result=result, end=end, queue=QUEUE, sends=[[uid, digest, kind]], delay_us=delay * 1000,
            keys=[key], tx=tx,
        )  # fmt: skip

    def claim(
        self, p: str, msg_id: int, receipt: int, *, read_ct: int = 1, release_ct: int = 0, uid: str | None = None,
        digest: int = HASH, vt: int = VT, commit: str = "sync", end: str = "ok",
    ) -> dict[str, Any]:  # fmt: skip
        start = self.now * 1000
        row = [msg_id, receipt, read_ct, release_ct, start, start + vt * 1000, uid or f"u{msg_id}", digest]
        result = {"got": [row]} if end == "ok" else {}
        more = {"async": commit == "async"}
        return self.op(p, "claim", result=result, end=end, queue=QUEUE, qty=1, vt_us=VT * 1000, **more)

    def run(
        self, p: str, msg_id: int, receipt: int, *, end: str = "ok", answer: str = "done", read_ct: int = 1,
        release_ct: int = 0, uid: str | None = None, took: int = 1, error: str = "it failed", digest: int = HASH,
    ) -> dict[str, Any]:  # fmt: skip
        result = {"answer": answer} if end == "ok" else {"err": error, "in_doubt": False, "sqlstate": None}
        return self.op(
            p, "start", result=result, end=end, took=took, queue=QUEUE, msg_id=msg_id, receipt=receipt,
            read_ct=read_ct, release_ct=release_ct, uid=uid or f"u{msg_id}", hash=digest,
        )  # fmt: skip

    def ack(
        self, p: str, msg_id: int, receipt: int | None, *, outcome: str = "done", end: str = "ok", commit: str = "sync"
    ) -> dict[str, Any]:  # fmt: skip
        return self._settle(p, "ack", "delete", msg_id, receipt, outcome, end, **{"async": commit == "async"})

    def nack(
        self, p: str, msg_id: int, receipt: int, verb: str = "retry", *, hide: int = 0, outcome: str = "done",
        end: str = "ok",
    ) -> dict[str, Any]:  # fmt: skip
        return self._settle(p, "nack", verb, msg_id, receipt, outcome, end, hide_us=[hide * 1000])

    def extend(
        self, p: str, msg_id: int, receipt: int, *, hide: int = VT, outcome: str = "done", end: str = "ok"
    ) -> dict[str, Any]:  # fmt: skip
        return self._settle(p, "extend", "set_vt", msg_id, receipt, outcome, end, hide_us=[hide * 1000])

    def bury(self, p: str, msg_id: int, receipt: int | None, *, outcome: str = "done") -> dict[str, Any]:
        return self._settle(p, "dead", "bury", msg_id, receipt, outcome, "ok", reason=["poison"])

    def effect(
        self, p: str, msg_id: int, receipt: int, *, end: str = "ok", row: bool | None = None, uid: str | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """Run a handler's transaction; `row` tells whether its effect is in the table, by default if it is ok."""
        name = uid or f"u{msg_id}"
        if end == "ok" if row is None else row:
            self.tables["effects"].append(
                {"uid": name, "queue": QUEUE, "msg_id": msg_id, "receipt": receipt, "db_at": self.now * 1000}
            )  # fmt: skip
        return self.op(p, "effect", end=end, queue=QUEUE, msg_id=msg_id, receipt=receipt, uid=name)

    def done(self, p: str, msg_id: int, receipt: int, *, read_ct: int = 1, release_ct: int = 0) -> None:
        """Read a message, run it and ack it."""
        self.claim(p, msg_id, receipt, read_ct=read_ct, release_ct=release_ct)
        self.run(p, msg_id, receipt, read_ct=read_ct, release_ct=release_ct)
        self.ack(p, msg_id, receipt)

    def dead(self, msg_id: int, *, reason: str = "poison", error: str | None = "it failed", read_ct: int = 3,
             digest: int = HASH) -> None:  # fmt: skip
        self.tables["final-dead"].append(
            {"queue": QUEUE, "msg_id": msg_id, "reason": reason, "error": error, "read_ct": read_ct, "release_ct": 0,
             "db_died": self.now * 1000, "uid": f"u{msg_id}", "hash": digest, "redriven_as": None}
        )  # fmt: skip

    def waiting(self, msg_id: int) -> None:
        self.tables["final-messages"].append(
            {"queue": QUEUE, "msg_id": msg_id, "state": "ready", "read_ct": 0, "release_ct": 0, "uid": f"u{msg_id}",
             "hash": HASH}
        )  # fmt: skip

    # --- faults and ends

    def fault(
        self, name: str, kind: str, *victims: str, lasts: int = 1, happens: bool = True, **more: Any
    ) -> None:
        """Let a fault happen and heal it."""
        number = len(self.faults)
        self.faults.append({"id": number, "fault": name, "class": kind, "at": 0, "until": None})
        result = {"pids": [self.pid(p) for p in victims]} | more
        what: dict[str, Any] = {"fault_id": number, "fault": name, "class": kind}
        self.op("nemesis", "fault_begin", result=result, end="ok" if happens else "fail", **what)
        self.now += lasts
        if happens:
            self.alone("nemesis", "fault_end", fault_id=number)

    def kill(self, p: str) -> None:
        self.fault("kill_worker", "kill", p)
        self.unended.add(p)

    def phase(self, name: str) -> None:
        self.alone("parent", "phase", phase=name)

    def finish(self) -> Chronicle:
        self.phase("drain")
        self.op("parent", "drained", result={"left": self.left})
        self.phase("stopped")
        self.op("parent", "leaks", result=self.leaks)
        for p, lines in self.lines.items():
            if p not in self.unended:
                lines.append({"t": self.now * MS, "p": p, "n": 1, "op": "process", "type": "ok"})
        return self

    def write(self, folder: Path) -> None:
        files = {f"history-{p}": lines for p, lines in self.lines.items()} | self.tables
        for name, lines in files.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / f"{name}.jsonl").write_text(text)
        (folder / "config.json").write_text(json.dumps(self.config))
        (folder / "schedule.json").write_text(json.dumps({"seed": 1, "faults": self.faults}))
        self.seal(folder)

    @staticmethod
    def seal(folder: Path) -> None:
        """Write the manifest."""
        sizes = {path.name: {"bytes": path.stat().st_size} for path in folder.glob("*.jsonl")}
        (folder / "manifest.json").write_text(json.dumps({"files": sizes}))

    def judged(self, folder: Path, *, minimum: int = 0) -> Verdict:
        """Write the folder and judge it."""
        self.write(folder)
        return judge(folder, minimum=minimum)

    def _settle(
        self, p: str, op: str, verb: str, msg_id: int, receipt: int | None, outcome: str, end: str, **more: Any
    ) -> dict[str, Any]:  # fmt: skip
        result = {"outcomes": [outcome]} if end == "ok" else {}
        return self.op(
            p, op, result=result, end=end, queue=QUEUE, verb=verb, ids=[msg_id], receipts=[receipt], **more
        )

    def _line(self, p: str, op: str, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        self._born(p)
        line = {"t": self.now * MS, "p": p, "n": self._numbers[p], "op": op, "type": kind} | fields
        self._numbers[p] += 1
        self.lines[p].append(line)
        return line

    def _born(self, p: str) -> None:
        if p not in self.lines:
            self._numbers[p] = 2
            head = {"t": self.now * MS, "p": p, "n": 1, "op": "process", "type": "invoke"}
            self.lines[p].append(head | {"pid": 100 + len(self.lines), "role": p.partition("-")[0]})
