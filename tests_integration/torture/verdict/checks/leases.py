"""Leases of one message never overlap; read_ct rises from one to the next.

All bounds are the database's clock and conservative: the end of a lease is the earliest it can have been, the start of
the next is exact. So there is no false alarm, and an overlap longer than the call that moved the end is found.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.model import (
    DONE,
    ENDINGS,
    EXTEND,
    Fate,
    History,
    Lease,
    Life,
    Settle,
    lines,
)

SHORT_US = 1_000
GIVE_BACK = ("retry", "release")


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Compare each lease with the next one of the same message."""
    excused: Counter[str] = Counter()
    for life in history.lives.values():
        _check_lengths(life, findings)
        for lease, following in itertools.pairwise(life.leases):
            if lease.receipt == following.receipt:
                _report("overlap", life, lease, following, findings, why="the same receipt twice")
                continue
            by = following.op.ended or following.op.began
            end = earliest_end(lease, life, history, by)
            lost = history.taken_back(life, lease.op, "claim", lease.receipt, by)
            early = end - following.db_from
            if following.op.is_audit and history.clock.steps:
                early = 0  # a claim whose answer was lost: when that was is not known well enough
            if early > 0 and lost:
                excused["asynchronous claim lost in a crash"] += 1
            elif early > 0:
                commit = "asynchronous" if lease.op.asynchronous else "durable"
                _report("overlap", life, lease, following, findings, too_early_us=early, claim=commit)
            _check_counts(life, lease, following, findings, lost=lost)
    return {"overlaps_excused": dict(excused)}


def earliest_end(lease: Lease, life: Life, history: History, by: int) -> int:
    """Return when this lease was over at the earliest, µs of the database, after what its holder did until `by`."""
    end = max(lease.db_until, lease.db_from + lease.vt_us - SHORT_US)
    for settle in sorted(life.settles, key=_is_last):
        # An ack or a burial shortens nothing: the message is gone, or as hidden as before.
        moves = settle.receipt == lease.receipt and settle.verb not in ENDINGS
        if moves and settle.fate is not Fate.NONE and settle.op.began <= by:
            end = _moved(end, settle, life, history, by)
    return end


def _is_last(settle: Settle) -> bool:
    """Whoever has given a message back extends nothing any more: an extension that is seen later was done before."""
    return settle.verb in GIVE_BACK and settle.fate is Fate.SURE and settle.outcome == DONE


def _moved(end: int, settle: Settle, life: Life, history: History, by: int) -> int:
    answered = by if settle.op.ended is None else settle.op.ended
    then = history.clock.earliest(settle.op.began, answered) + settle.hide_us
    taken_back = history.taken_back(life, settle.op, settle.verb, settle.receipt, by)
    if settle.verb == EXTEND and settle.fate is Fate.SURE and settle.outcome == DONE and not taken_back:
        return then
    # Hidden after a retry; an end or a release in doubt may have come to nothing, or have ended it right away.
    return then if settle.verb == "retry" and settle.fate is Fate.SURE and not taken_back else min(end, then)


def _check_lengths(life: Life, findings: Findings) -> None:
    for lease in life.leases:
        if lease.db_until - lease.db_from < lease.vt_us - SHORT_US:
            findings.add(
                "short_lease",
                uid=lease.uid, queue=life.queue, msg_id=life.msg_id, asked_us=lease.vt_us,
                got_us=lease.db_until - lease.db_from, lines=lines(lease.op),
            )  # fmt: skip


def _check_counts(life: Life, lease: Lease, following: Lease, findings: Findings, *, lost: bool) -> None:
    rises = following.read_ct > lease.read_ct
    keeps = following.counted >= lease.counted
    if not lost and not (rises and keeps):
        counts = [[lease.read_ct, lease.release_ct], [following.read_ct, following.release_ct]]
        _report("read_ct_fell", life, lease, following, findings, read_ct_and_release_ct=counts)


def _report(
    violation: str, life: Life, lease: Lease, following: Lease, findings: Findings, **more: object
) -> None:
    findings.add(
        violation,
        uid=following.uid or lease.uid, queue=life.queue, msg_id=life.msg_id,
        receipts=[lease.receipt, following.receipt], **more, lines=lines(lease.op, following.op),
    )  # fmt: skip
