"""The server's own list of what it committed: fills in what no process lived to write down, settles what is in doubt.

A claim whose answer was lost still hides its message; a settle by hand still ends a lease; and what is not in the list
was not committed, or a crash has taken it back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tests_integration.torture.verdict.lines import AUDIT, Fields, Op
from tests_integration.torture.verdict.model import DONE, ENDINGS, EXTEND, Fate, History, Lease, Life, Settle

COMMIT_NS = 100_000_000  # from the statement's look at the clock to the end of its commit
Moments = Mapping[tuple[str, int | None], int]  # by verb and receipt, monotonic ns
SETTLES = {*ENDINGS, EXTEND, "retry", "release"}


def merge(history: History, rows: list[Fields]) -> None:
    """Bring the lives of all messages in line with the audit; sorted lists stay sorted."""
    known: dict[tuple[str, int], list[Fields]] = defaultdict(list)
    for number, row in enumerate(rows, 1):
        known[row["queue"], row["msg_id"]].append(row | {"line": number})
    for queue, msg_id in known:
        history.life(queue, msg_id)
    for where, life in history.lives.items():
        when = {(row["verb"], row["receipt"]): history.clock.monotonic(row["db_at"]) for row in known[where]}
        life.audited = set(when)
        life.settles = list(_resolved(life.settles, when))
        for effect in life.effects:
            _resolve_transaction(effect.op, effect.receipt, when)
        for row in known[where]:
            _add(history, life, row)
        life.leases.sort(key=lambda lease: (lease.at, lease.read_ct))
        life.settles.sort(key=lambda settle: settle.op.began)


def _resolved(settles: list[Settle], when: Moments) -> Iterator[Settle]:
    """Decide what was in doubt. Of several calls with one receipt the first has done it, if none was confirmed."""
    decided = {(settle.verb, settle.receipt) for settle in settles if settle.fate is Fate.SURE}
    for settle in settles:
        key = (settle.verb, settle.receipt)
        if settle.fate is not Fate.MAYBE or settle.receipt is None or (settle.verb == EXTEND and key in when):
            yield settle
        else:
            done = key in when and key not in decided
            decided.add(key)
            op = replace(settle.op, doubted=True, repeated=False)
            _decide(op, when.get(key, 0) if done else None)
            yield settle._replace(op=op, outcome=DONE)


def _resolve_transaction(op: Op, receipt: int, when: Moments) -> None:
    if op.kind == "info":
        op.doubted = True
        _decide(op, when.get(("delete", receipt), when.get(("archive", receipt))))


def _decide(op: Op, moment: int | None) -> None:
    """Note that it was done, perhaps after its caller had given up; or that it never was."""
    op.kind = "fail" if moment is None else "ok"
    op.ended = max(op.ended or op.began, (moment or 0) + COMMIT_NS)


def _add(history: History, life: Life, row: Fields) -> None:
    """Add what only the server knows."""
    verb, receipt, at = row["verb"], row["receipt"], row["db_at"]
    moment = history.clock.monotonic(at)
    op = Op(AUDIT, row["line"], verb, moment, row["line"], "ok", moment + COMMIT_NS, row["line"])
    if verb == "claim" and all(lease.receipt != receipt for lease in life.leases):
        until = row.get("db_until") or at + history.setting(life.queue, "vt_us")
        counts = row.get("read_ct", 0), row.get("release_ct", 0)
        life.leases.append(Lease(op, life.msg_id, receipt, *counts, at, until, None, 0, until - at, moment))
    elif verb in SETTLES and not _is_known(life, verb, receipt):
        hide = max(0, (row.get("db_until") or at) - at)
        life.settles.append(Settle(op, verb, receipt, DONE, hide))


def _is_known(life: Life, verb: str, receipt: int | None) -> bool:
    settled = any(s.verb == verb and s.receipt == receipt and s.fate is Fate.SURE for s in life.settles)
    return settled or (
        verb in ENDINGS and any(e.receipt == receipt and e.op.kind == "ok" for e in life.effects)
    )
