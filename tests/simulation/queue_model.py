"""What a queue does, in memory: the truth of a simulation. Every change is one step that can't fail half-way."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pgqueue.call import Call, Rows

EPOCH = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
_ARGUMENT = re.compile(r"(\w+) => (?:make_interval\(secs => )?%s")
RECEIPTS = 2**62


@dataclass(slots=True)
class Row:
    """A message that waits. The lease is over at `visible_at`; its receipt is good until another claim."""

    msg_id: int
    queue: str | None
    body: dict[str, Any]
    sent_at: float
    visible_at: float
    read_ct: int = 0
    release_ct: int = 0
    receipt: int | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """How a message left the queue, and by which receipt."""

    verb: str
    receipt: int | None
    read_ct: int
    release_ct: int
    reason: str | None = None


@lru_cache
def _names(sql: str) -> tuple[str, ...]:
    return tuple(_ARGUMENT.findall(sql))


class QueueModel:
    """Some queues. `apply` runs a call as the database would and returns its rows; `outcomes` counts its answers."""

    def __init__(self, now: Callable[[], float], dice: random.Random) -> None:
        self._now, self._dice = now, dice
        self.rows: dict[int, Row] = {}
        self.removed: dict[int, Removed] = {}
        self.outcomes: Counter[str] = Counter()

    def send(self, queue: str, body: dict[str, Any]) -> int:
        msg_id = len(self.rows) + len(self.removed) + 1
        self.rows[msg_id] = Row(msg_id, queue, body, self._now(), self._now())
        return msg_id

    def holds(self, msg_id: int, receipt: int | None) -> bool:
        """Tell whether this receipt is a lease that still runs."""
        row = self.rows.get(msg_id)
        return row is not None and row.receipt == receipt and self._now() < row.visible_at

    @staticmethod
    def arguments(call: Call[Any]) -> dict[str, Any]:
        """Return the arguments of a call by their names in SQL."""
        return dict(zip(_names(call.sql), call.params, strict=True))

    def apply(self, call: Call[Any]) -> Rows:
        given = self.arguments(call)
        verb = call.name.removeprefix("message.")
        if verb in ("read", "read_or_await"):
            return self._read(call.queue, given["vt"], given["qty"])
        if "msg_id" in given:
            return [(self._answer(verb, given["msg_id"], given["receipt"], given, 0),)]
        ids, receipts = given["msg_ids"], given["receipts"]
        proofs = receipts if len(receipts) == len(ids) else receipts * len(ids)
        one = verb.removesuffix("_batch")
        return [
            (i, self._answer(one, i, proof, given, n))
            for n, (i, proof) in enumerate(zip(ids, proofs, strict=True))
        ]

    def _answer(self, *about: Any) -> str:
        outcome = self._settle(*about)
        self.outcomes[outcome] += 1
        return outcome

    def _read(self, queue: str | None, vt: float, qty: int) -> Rows:
        now = self._now()
        visible = (row for row in self.rows.values() if row.queue == queue and row.visible_at <= now)
        due = sorted(visible, key=lambda row: row.msg_id)
        receipt = self._dice.randrange(1, RECEIPTS)
        for row in due[:qty]:
            row.visible_at, row.receipt, row.read_ct = now + vt, receipt, row.read_ct + 1
        return [self._columns(row) for row in due[:qty]]

    def _columns(self, row: Row) -> tuple[Any, ...]:
        times = [EPOCH + dt.timedelta(seconds=s) for s in (row.sent_at, self._now(), row.visible_at)]
        return (
            *(row.msg_id, row.read_ct, *times, json.dumps(row.body), None),
            *(row.receipt, row.release_ct, 0, None),
        )

    def _settle(self, verb: str, msg_id: int, receipt: int | None, given: dict[str, Any], n: int) -> str:
        row = self.rows.get(msg_id)
        if row is None:
            return "gone"
        if row.receipt != receipt:
            return "stale"
        if verb == "set_vt":
            row.visible_at = self._now() + given["vt"]
        elif verb in ("retry", "release"):
            row.visible_at, row.receipt = self._now() + _seconds(given.get("delays"), n), None
            row.release_ct += verb == "release"
        elif verb in ("delete", "archive", "bury"):
            del self.rows[msg_id]
            reason = given["reasons"][n] if verb == "bury" else None
            self.removed[msg_id] = Removed(verb, receipt, row.read_ct, row.release_ct, reason)
        else:
            raise AssertionError(f"the model doesn't know {verb}")
        return "done"


def _seconds(delays: list[str] | None, n: int) -> float:
    return 0.0 if delays is None else float(delays[n].removesuffix(" s"))
