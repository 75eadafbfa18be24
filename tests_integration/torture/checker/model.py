"""Operations and what became of them, put together from the lines of a history.

What the lines of an operation carry beside the fields of every line (see `history`):

send      invoke: sends [[uid, hash]], delay (µs), key    ok: ids, at, by (database's clock around the verb)
read, pop invoke: qty                                     ok: got [[msg_id, read_ct, release_ct, receipt, from, until, uid, hash]]
settle    invoke: verb, ids, receipts, hide (µs), forged  ok: outcomes, at, by
commit, rollback, undo (ops)                              explicit transactions
fault     invoke: fault, victim                           snapshot_taken, drain, final: see `nemesis`, `dump`, `run`
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Line = dict[str, Any]


class Fate(enum.Enum):
    """Whether an effect lasts."""

    DONE = "done"
    NONE = "none"
    MAYBE = "maybe"


@dataclass(slots=True)
class Operation:
    """`invoked` and `ended` are monotonic ns. `seen_from` .. `sure_from`: when its effect became visible to others."""

    process: str
    number: int
    name: str
    invoked: int
    args: Line
    ended: int | None = None
    kind: str = "info"
    result: Line = field(default_factory=dict)
    fate: Fate = Fate.MAYBE
    seen_from: int = 0
    sure_from: int | None = None

    @property
    def tx(self) -> int | None:
        found: int | None = self.args.get("tx")
        return found

    @property
    def asynchronous(self) -> bool:
        return bool(self.args.get("async"))


class Delivery(NamedTuple):
    """One message of one read. `start` and `until` are the database's, in µs; `closed` is until when its transaction was open."""

    op: Operation
    msg_id: int
    read_ct: int
    release_ct: int
    receipt: int | None
    start: int
    until: int
    uid: str
    hash: int
    closed: int | None


@dataclass(slots=True)
class Transaction:
    undone: set[int] = field(default_factory=set)
    commit: Operation | None = None
    held_until: int | None = None  # a moment, monotonic ns, until which it was open for sure
    over: bool = False
    fate: Fate = Fate.NONE


@dataclass(slots=True)
class History:
    """All operations of a run, sorted by `invoked`."""

    operations: list[Operation]
    transactions: dict[tuple[str, int], Transaction]

    def named(self, *names: str) -> list[Operation]:
        return [op for op in self.operations if op.name in names]

    @property
    def final(self) -> Line:
        """What was left; empty when the run never came to its end."""
        found = self.named("final")
        return found[-1].result if found else {}


def build(lines: Iterable[Line]) -> History:
    """Put invokes and ends together and decide every operation's fate."""
    found: dict[tuple[str, int], Operation] = {}
    for line in lines:
        identity = (line["p"], line["n"])
        if line["k"] == "invoke":
            found[identity] = Operation(line["p"], line["n"], line["op"], line["t"], line)
        else:
            op = found[identity]
            op.ended, op.kind, op.result = line["t"], line["k"], line
    operations = sorted(found.values(), key=lambda op: op.invoked)
    transactions = _transactions(operations)
    for op in operations:
        _decide(op, transactions)
    return History(operations, transactions)


def _transactions(operations: list[Operation]) -> dict[tuple[str, int], Transaction]:
    found: dict[tuple[str, int], Transaction] = {}
    for op in operations:
        if op.tx is None:
            continue
        tx = found.setdefault((op.process, op.tx), Transaction())
        if op.name == "undo":
            tx.undone |= set(op.args["ops"])
        elif op.name == "commit":
            tx.commit = op
            tx.fate = {"ok": Fate.DONE, "fail": Fate.NONE}.get(op.kind, Fate.MAYBE)
        _follow(tx, op)
    return found


def _follow(tx: Transaction, op: Operation) -> None:
    """Move on until when it was open: a connection that turns out dead may have died right after its last answer."""
    if tx.over:
        return
    tx.over = op.name in {"commit", "rollback"} or op.kind != "ok"
    if op.kind != "info":
        tx.held_until = op.invoked if tx.over else op.ended


def _decide(op: Operation, transactions: dict[tuple[str, int], Transaction]) -> None:
    op.seen_from, op.sure_from = op.invoked, op.ended
    if op.tx is None:
        op.fate = {"ok": Fate.DONE, "fail": Fate.NONE}.get(op.kind, Fate.MAYBE)
        return
    tx = transactions[op.process, op.tx]
    if op.kind != "ok" or op.number in tx.undone:
        op.fate = Fate.NONE
        return
    op.fate = tx.fate
    if tx.commit is not None:
        op.seen_from, op.sure_from = tx.commit.invoked, tx.commit.ended


def deliveries(history: History, *names: str) -> list[Delivery]:
    """Every message that a reader was given, whatever became of its transaction, in the order of the reads."""
    found = []
    for op in history.named(*(names or ("read", "pop"))):
        tx = None if op.tx is None else history.transactions[op.process, op.tx]
        closed = tx.held_until if tx else None
        found += [Delivery._make([op, *row, closed]) for row in op.result.get("got", ())]
    return found
