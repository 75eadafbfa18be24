"""Histories made by hand: one line of a test is one operation; one unit of time is a millisecond."""

from __future__ import annotations

from typing import Any

from tests_integration.torture.checker.model import History, build
from tests_integration.torture.checker.verdict import check

MS = 1_000_000
VT = 1000
HASH = 7
SCHEDULE: dict[str, Any] = {
    "seed": 0,
    "kind": "row",
    "profile": "hand-made",
    "settings": {"max_reads": 2, "repark_budget": 2},
    "faults": [],
}


class Story:
    """The database's clock and the machine's are the same here, so a lease's bounds are milliseconds as well."""

    def __init__(self) -> None:
        self.now = 10_000
        self.lines: list[dict[str, Any]] = []
        self._number = 0

    def wait(self, ms: int) -> Story:
        self.now += ms
        return self

    def op(
        self, process: str, op: str, *, result: dict[str, Any] | None = None, end: str = "ok", **args: Any
    ) -> int:
        """Write an invoke now and its end one millisecond later; `end=""` writes none."""
        self._number += 1
        head = {"p": process, "n": self._number, "op": op}
        self.lines.append(head | {"t": self.now * MS, "k": "invoke", "tx": None, "async": False} | args)
        self.now += 1
        if end:
            self.lines.append(head | {"t": self.now * MS, "k": end} | (result or {}))
        self.now += 1
        return self._number

    def send(self, uid: str, msg_id: int, *, delay: int = 0, end: str = "ok", **args: Any) -> int:
        at = self.now * 1000
        result = {"ids": [msg_id], "at": at, "by": at + 1000} if end == "ok" else None
        return self.op("w", "send", result=result, end=end, sends=[[uid, HASH]], delay=delay * 1000, **args)

    def read(
        self, process: str, msg_id: int, receipt: int, *, uid: str | None = None, read_ct: int = 1,
        release_ct: int = 0, digest: int = HASH, op: str = "read", vt: int = VT, asynchronous: bool = False,
        tx: int | None = None, end: str = "ok",
    ) -> int:  # fmt: skip
        start = self.now * 1000
        row = [msg_id, read_ct, release_ct, receipt, start, start + vt * 1000, uid or f"u{msg_id}", digest]
        return self.op(process, op, result={"got": [row]}, end=end, qty=1, tx=tx, **{"async": asynchronous})

    def settle(
        self, process: str, verb: str, msg_id: int, receipt: int | None, *, outcome: str = "done", hide: int = 0,
        end: str = "ok", asynchronous: bool = False, tx: int | None = None, forged: bool = False,
    ) -> int:  # fmt: skip
        at = self.now * 1000
        result = {"outcomes": [outcome], "at": at, "by": at + 1000} if end == "ok" else None
        receipts = None if receipt is None else [receipt]
        more: dict[str, Any] = {
            "verb": verb,
            "ids": [msg_id],
            "receipts": receipts,
            "hide": hide * 1000,
            "forged": forged,
        }
        return self.op(process, "settle", result=result, end=end, tx=tx, **more | {"async": asynchronous})

    def crash(self) -> None:
        self.op("nemesis", "fault", fault="immediate", victim="")

    def finish(self, **left: Any) -> Story:
        state = {"queued": [], "dead": [], "archived": [], "depth": 0, "tables": {}, "failures": []}
        self.op("parent", "final", result=state | left)
        return self

    def history(self) -> History:
        return build(self.lines)


def judged(story: Story, *restored: Story, minimum: int = 0, **schedule: Any) -> dict[str, Any]:
    """Judge a story."""
    others = [one.history() for one in restored]
    return check(story.history(), SCHEDULE | schedule, 0, others, minimum=minimum)


def violations(story: Story, *restored: Story) -> dict[str, int]:
    found: dict[str, int] = judged(story, *restored)["violations"]
    return found
