"""Effects in the ack's transaction: exactly one where the message is done, none where it is not."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Fields
from tests_integration.torture.verdict.model import FATES, Fate, History, Life, lines

KIND = "tx"


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Compare the committed effects with what became of each message."""
    rows: dict[str, list[Fields]] = defaultdict(list)
    wanted = set()
    for life in history.lives.values():
        for row in life.effect_rows:
            rows[row["uid"]].append(row)
        _check_confirmed(life, findings)
        uid = next((lease.uid for lease in life.leases if lease.uid is not None), None)
        if uid is not None and history.kind(uid) == KIND and _is_done(life):
            wanted.add(uid)
    for uid in wanted:
        if len(rows[uid]) != 1:
            _report(uid, f"{len(rows[uid])} effects of a message that is done", rows[uid], history, findings)
    for uid, found in rows.items():
        if uid not in history.attempts:
            _report(uid, "an effect of a message that nobody sent", found, history, findings)
        elif uid not in wanted and len(found) > 1:
            _report(uid, f"{len(found)} effects", found, history, findings)
        elif (
            found
            and (life := history.lives[found[0]["queue"], found[0]["msg_id"]]).kept
            and not life.archived
        ):
            _report(uid, "an effect without its ack", found, history, findings)
    return {"effects": sum(map(len, rows.values())), "done_in_a_transaction": len(wanted)}


def _is_done(life: Life) -> bool:
    """Tell whether the message is gone for sure, or in the archive."""
    ended = any(fate is Fate.SURE for *_, fate in life.ends())
    return ended and life.waiting is None and life.dead is None


def _check_confirmed(life: Life, findings: Findings) -> None:
    """A commit that was confirmed is in the table."""
    receipts = {row["receipt"] for row in life.effect_rows}
    for effect in life.effects:
        if FATES[effect.op.kind] is Fate.SURE and effect.receipt not in receipts:
            why = "a confirmed effect is not in the database"
            findings.add(
                "effects", uid=effect.uid, queue=life.queue, msg_id=life.msg_id, why=why, lines=lines(effect.op)
            )  # fmt: skip


def _report(uid: str, why: str, rows: list[Fields], history: History, findings: Findings) -> None:
    wheres = {(row["queue"], row["msg_id"]) for row in rows}
    wheres |= {one.where for one in history.attempts.get(uid, ()) if one.where is not None}
    ops = [
        effect.op
        for where in sorted(wheres)
        if where in history.lives
        for effect in history.lives[where].effects
    ]
    sends = [one.op for one in history.attempts.get(uid, ())[:1]]
    findings.add(
        "effects", uid=uid, msg_id=[msg_id for _, msg_id in sorted(wheres)], why=why,
        receipts=[row["receipt"] for row in rows], lines=lines(*sends, *ops),
    )  # fmt: skip
