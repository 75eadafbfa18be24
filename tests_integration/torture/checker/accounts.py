"""Where every message is in the end: nothing lost, nothing invented, nothing settled twice."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from tests_integration.torture.checker.crashes import Crashes
from tests_integration.torture.checker.finding import Findings
from tests_integration.torture.checker.model import Delivery, Fate, History, Operation

ENDINGS = ("delete", "archive", "bury", "cancel")
ZOMBIES = {"cancel": "delivered_after_cancel", "pop": "delivered_after_pop"}


class Attempt(NamedTuple):
    """One send of one uid; `msg_id` is known when the call was answered."""

    op: Operation
    hash: int
    msg_id: int | None


class Removal(NamedTuple):
    op: Operation
    verb: str
    fate: Fate


@dataclass
class Accounts:
    """Sends by uid, and by msg_id what took messages away."""

    attempts: dict[str, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    removals: dict[int, list[Removal]] = field(default_factory=lambda: defaultdict(list))

    def confirmed(self) -> dict[int, tuple[str, Attempt]]:
        """Messages that must exist or have existed: msg_id to uid and send."""
        return {
            one.msg_id: (uid, one)
            for uid, attempts in self.attempts.items()
            for one in attempts
            if one.op.fate is Fate.DONE and one.msg_id is not None
        }


def open_accounts(history: History) -> Accounts:
    accounts = Accounts()
    for op in history.named("send"):
        ids = op.result.get("ids") or [None] * len(op.args["sends"])
        for (uid, digest), msg_id in zip(op.args["sends"], ids, strict=True):
            accounts.attempts[uid].append(Attempt(op, digest, msg_id))
    for op in history.named("settle"):
        if op.args["verb"] in ENDINGS and op.fate is not Fate.NONE:
            answered = op.kind == "ok"
            outcomes = op.result["outcomes"] if answered else ["done"] * len(op.args["ids"])
            for msg_id, outcome in zip(op.args["ids"], outcomes, strict=True):
                if outcome == "done":
                    accounts.removals[msg_id].append(Removal(op, op.args["verb"], op.fate))
    for op in history.named("pop"):
        if op.fate is not Fate.NONE:
            for row in op.result.get("got", ()):
                accounts.removals[row[0]].append(Removal(op, "pop", op.fate))
    return accounts


def check_lost(history: History, accounts: Accounts, findings: Findings) -> dict[str, int]:
    """Every confirmed send is removed, or still there, or dead, or archived."""
    final = history.final
    there = {*final.get("queued", ()), *final.get("archived", ()), *(row[0] for row in final.get("dead", ()))}
    in_doubt = 0
    confirmed = accounts.confirmed()
    for msg_id, (uid, attempt) in confirmed.items():
        removals = accounts.removals.get(msg_id, [])
        if msg_id in there or any(r.fate is Fate.DONE for r in removals):
            continue
        if removals:
            in_doubt += 1
        else:
            findings.add("lost", msg_id=msg_id, uid=uid, sent_by=attempt.op.process, op=attempt.op.number)
    for msg_id in final.get("queued", ()):
        findings.add("undrained", msg_id=msg_id)
    return {"confirmed": len(confirmed), "gone_by_an_ack_in_doubt": in_doubt}


def check_invented(accounts: Accounts, given: list[Delivery], findings: Findings) -> None:
    """A delivery has the payload and the id of a send that was committed, or may have been."""
    for one in given:
        evidence = {"msg_id": one.msg_id, "uid": one.uid, "reader": one.op.process, "op": one.op.number}
        attempts = accounts.attempts.get(one.uid, [])
        if not any(a.hash == one.hash for a in attempts):
            findings.add("invented", **evidence)
            continue
        live = [a for a in attempts if a.op.fate is not Fate.NONE and a.msg_id in {None, one.msg_id}]
        if not live and any(a.msg_id in {None, one.msg_id} for a in attempts):
            findings.add("delivered_though_rolled_back", **evidence)
        elif not live:
            findings.add("invented", **evidence, known_ids=[a.msg_id for a in attempts])
        elif one.op.ended is not None and all(one.op.ended < a.op.seen_from for a in live):
            findings.add("delivered_before_commit", **evidence)


def check_after_the_end(
    accounts: Accounts, given: list[Delivery], crashes: Crashes, findings: Findings
) -> dict[str, int]:
    """What is settled is not delivered by a read that began later, and not settled again."""
    redelivered_by_crash = 0
    for one in given:
        for removal in accounts.removals.get(one.msg_id, ()):
            sure = removal.op.sure_from
            if (
                removal.op is one.op
                or removal.fate is not Fate.DONE
                or sure is None
                or one.op.invoked <= sure
            ):
                continue
            if crashes.may_have_lost(removal.op, one.op.ended or one.op.invoked):
                redelivered_by_crash += 1
                continue
            findings.add(
                ZOMBIES.get(removal.verb, "delivered_after_ack"),
                msg_id=one.msg_id, verb=removal.verb, by=removal.op.process, op=removal.op.number,
                reader=one.op.process, read=one.op.number,
            )  # fmt: skip
    for msg_id, removals in accounts.removals.items():
        certain = [r for r in removals if r.fate is Fate.DONE]
        kept = [
            r for r in certain if not crashes.may_have_lost(r.op, max(s.op.sure_from or 0 for s in certain))
        ]
        if len(kept) > 1:
            findings.add(
                "settled_twice", msg_id=msg_id, by=[[r.op.process, r.op.number, r.verb] for r in kept]
            )
    return {"acks_lost_in_a_crash": redelivered_by_crash}
