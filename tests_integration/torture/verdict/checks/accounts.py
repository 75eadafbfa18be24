"""Where every message is in the end: nothing lost, nothing invented, no send that made two messages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Op
from tests_integration.torture.verdict.model import Attempt, Fate, History, Life, lines


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Account for every send and for every message that was seen."""
    by_hash: dict[int, list[Attempt]] = defaultdict(list)
    for attempts in history.attempts.values():
        for one in attempts:
            by_hash[one.hash].append(one)
    confirmed = history.confirmed()
    places = Counter(_account_for(one, history, findings) for one in confirmed)
    for life in history.lives.values():
        _check_known(life, history, by_hash, findings)
    doubled = _check_doubled(history, findings)
    unsure = [
        attempts
        for attempts in history.attempts.values()
        if all(one.fate is not Fate.SURE for one in attempts)
        and any(one.fate is Fate.MAYBE for one in attempts)
    ]
    seen = {life_uid for life in history.lives.values() for life_uid in _uids(life)}
    return {
        "sent": len(history.attempts),
        "confirmed": len(confirmed),
        "in_doubt": len(unsure),
        "recovered": sum(1 for attempts in unsure if attempts[0].uid in seen),
        "delivered": sum(
            1 for life in history.lives.values() for lease in life.leases if not lease.op.is_audit
        ),
        "acked": places["acked"] + places["acked_in_doubt"],
        "acked_in_doubt": places["acked_in_doubt"],
        "dead": places["dead"],
        "archived": places["archived"],
        "waiting": places["waiting"],
        "doubled": doubled,
    }  # fmt: skip


def _account_for(sent: Attempt, history: History, findings: Findings) -> str:
    """Say where a confirmed message is."""
    life = history.lives.get((sent.queue, sent.msg_id or 0)) or Life(sent.queue, sent.msg_id or 0)
    if life.waiting is not None:
        return "waiting"
    if life.dead is not None:
        return "dead"
    ends = [end for end in life.ends() if end[1] != "bury"]
    ops = [op for op, *_ in ends[:3]]
    evidence = {"uid": sent.uid, "queue": sent.queue, "msg_id": sent.msg_id}
    by_hand = [op for op, _, receipt, fate in ends if receipt is None and fate is Fate.SURE]
    done = [
        run.op.ended for run in life.runs if run.op.kind == "ok" and run.answer == "done" and run.op.ended
    ]
    finished = bool(done or by_hand or (life.effects and life.effect_rows))
    if not ends or not finished:
        why = "acked, and no handler finished it" if ends or life.archived else "gone, and nobody ended it"
        findings.add("lost", **evidence, why=why, lines=lines(sent.op, *ops))
        return "lost"
    plain = [
        op.began for op, verb, receipt, _ in ends if verb in {"delete", "archive"} and receipt is not None
    ]
    if plain and not by_hand and min(done, default=0) > max(plain):
        runs = [run.op for run in life.runs]
        findings.add("acked_too_early", **evidence, lines=lines(*ops, *runs[:3]))
    if life.archived is not None:
        return "archived"
    return "acked" if any(fate is Fate.SURE for *_, fate in ends) else "acked_in_doubt"


def _uids(life: Life) -> Iterable[str]:
    found = {lease.uid for lease in life.leases} | {run.uid for run in life.runs}
    found |= {place["uid"] for place in (life.waiting, life.dead, life.archived) if place is not None}
    return {uid for uid in found if uid is not None}


def _check_known(life: Life, history: History, by_hash: dict[int, list[Attempt]], findings: Findings) -> None:
    """Every sight of a message is that of a send which may have happened, with its payload."""
    original = history.original(life.queue, life.msg_id)
    sights: list[tuple[str | None, int, Op | None, str]] = [
        (lease.uid, lease.hash, lease.op, "read") for lease in life.leases if not lease.op.is_audit
    ]
    sights += [(run.uid, run.hash, run.op, "handler") for run in life.runs]
    for place in ("waiting", "dead", "archived"):
        row = getattr(life, place)
        if row is not None:
            sights.append((row["uid"], row["hash"], None, place))
    told = set()
    for uid, digest, op, where in sights:
        attempts = by_hash[digest] if uid is None else history.attempts.get(uid, [])
        why = _stranger(attempts, digest, original, op)
        if why and why not in told:
            told.add(why)
            ops = [op, *[one.op for one in attempts[:2]]]
            findings.add(
                "unexpected", uid=uid, queue=life.queue, msg_id=life.msg_id, why=why, seen=where, lines=lines(*ops)
            )  # fmt: skip


def _stranger(attempts: list[Attempt], digest: int, msg_id: int, op: Op | None) -> str:
    if not attempts:
        return "nobody sent it"
    if all(one.hash != digest for one in attempts):
        return "another payload than was sent"
    live = [one for one in attempts if one.hash == digest and one.fate is not Fate.NONE]
    if not live:
        return "its send did not happen or was rolled back"
    fitting = [one for one in live if one.msg_id in {None, msg_id}]
    if not fitting:
        return f"its send was answered with msg_id {live[0].msg_id}"
    if op is not None and op.ended is not None and all(op.ended < one.op.began for one in fitting):
        return "it was seen before it was sent"
    return ""


def _check_doubled(history: History, findings: Findings) -> int:
    """One uid is one message, whatever was repeated on the way."""
    found: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for life in history.lives.values():
        where = (life.queue, history.original(life.queue, life.msg_id))
        for uid in _uids(life):
            found[uid].add(where)
    for uid, attempts in history.attempts.items():
        found[uid] |= {one.where for one in attempts if one.where is not None and one.fate is Fate.SURE}
    doubled = {uid: wheres for uid, wheres in found.items() if len(wheres) > 1}
    for uid, wheres in doubled.items():
        ops = [one.op for one in history.attempts.get(uid, ())]
        seen = [
            lease.op
            for where in wheres
            if where in history.lives
            for lease in history.lives[where].leases[:1]
        ]
        findings.add("doubled", uid=uid, msg_ids=sorted(wheres), lines=lines(*ops, *seen))
    return len(doubled)
