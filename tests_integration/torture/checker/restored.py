"""A dump under load, restored elsewhere and drained: what was not settled at its snapshot came out."""

from __future__ import annotations

from collections import defaultdict

from tests_integration.torture.checker.accounts import (
    Accounts,
    check_invented,
    check_lost,
    open_accounts,
)
from tests_integration.torture.checker.crashes import Crashes
from tests_integration.torture.checker.finding import Findings
from tests_integration.torture.checker.model import Delivery, Fate, History, Operation, deliveries


def check_restored(
    history: History, accounts: Accounts, restored: History, crashes: Crashes, findings: Findings
) -> dict[str, int]:
    """The snapshot lies between invoke and end of the run's `snapshot_taken`."""
    snapshot = next(op for op in history.named("snapshot_taken") if op.ended is not None)
    given = deliveries(restored)
    wanted = _unsettled(accounts, snapshot)
    final = restored.final
    if not final:
        errors = [op.result.get("text") for op in restored.operations if op.kind != "ok"]
        findings.add("dump_restore_failed", errors=errors)
    there = (
        {one.msg_id for one in given}
        | {row[0] for row in final.get("dead", ())}
        | {*final.get("archived", ())}
    )
    for msg_id in wanted - there:
        findings.add("dump_lost", msg_id=msg_id)
    _check_not_back(accounts, given, snapshot, crashes, findings)
    inner = Findings()
    own = open_accounts(restored)
    check_lost(restored, own, inner)
    check_invented(_together(accounts, own), given, inner)
    for verdict, count in inner.counts.items():
        findings.add(f"dump_{verdict}", count=count, cases=inner.cases[verdict])
    before = {i for i, (_, one) in accounts.confirmed().items() if _sure_before(one.op, snapshot)}
    for msg_id in before & set(own.confirmed()):
        findings.add("dump_id_used_again", msg_id=msg_id)
    return {"unsettled_at_the_snapshot": len(wanted), "delivered_after_the_restore": len(given)}


def _unsettled(accounts: Accounts, snapshot: Operation) -> set[int]:
    """Messages that were sent for sure, and that nobody had begun to settle."""
    taken = snapshot.ended or snapshot.invoked
    return {
        msg_id
        for msg_id, (_, attempt) in accounts.confirmed().items()
        if _sure_before(attempt.op, snapshot)
        and not any(removal.op.seen_from < taken for removal in accounts.removals.get(msg_id, ()))
    }


def _check_not_back(
    accounts: Accounts, given: list[Delivery], snapshot: Operation, crashes: Crashes, findings: Findings
) -> None:
    for one in given:
        for removal in accounts.removals.get(one.msg_id, ()):
            settled = removal.fate is Fate.DONE and _sure_before(removal.op, snapshot)
            if (
                settled
                and one.uid in accounts.attempts
                and not crashes.may_have_lost(removal.op, snapshot.invoked)
            ):
                findings.add("dump_delivered_after_the_end", msg_id=one.msg_id, verb=removal.verb)


def _sure_before(op: Operation, snapshot: Operation) -> bool:
    return op.sure_from is not None and op.sure_from < snapshot.invoked


def _together(first: Accounts, second: Accounts) -> Accounts:
    attempts = defaultdict(list, {uid: list(one) for uid, one in first.attempts.items()})
    for uid, more in second.attempts.items():
        attempts[uid] += more
    return Accounts(attempts=attempts)
