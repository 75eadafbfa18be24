"""The calls that settle what a consumer holds: verdicts of one queue and one verb become one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pgqueue.barrier.rules import part_of
from pgqueue.barrier.settle import ack_part, bury_part
from pgqueue.call import Call, Rows
from pgqueue.consumer import barriers, chains
from pgqueue.consumer.model import Held, QueuePlan, Verb, Verdict
from pgqueue.errors import StaleReceipt
from pgqueue.message import calls
from pgqueue.message.model import Message, Outcome
from pgqueue.message.rows import all_gone_are_done
from pgqueue.message.rules import MAX_WAIT
from pgqueue.reply.rules import owes


def read(plan: QueuePlan, qty: int, holder: str, *, wait: float | None) -> Call[list[Message]]:
    """Build the call that claims; with `wait` senders ring for so many seconds where it finds nothing."""
    if wait is None:
        call = calls.read(plan.queue, vt=plan.vt, qty=qty, holder=holder)
    else:
        call = calls.read_or_await(plan.queue, min(wait, MAX_WAIT), vt=plan.vt, qty=qty, holder=holder)
    return as_asked(call, plan)


def settle(plan: QueuePlan, verb: Verb, ended: Sequence[tuple[Held, Verdict]]) -> Call[dict[int, Outcome]]:
    """Build the call that settles these messages, each fenced by its receipt."""
    queue = plan.queue
    ids = [held.message.msg_id for held, _ in ended]
    receipts = [held.message.receipt for held, _ in ended]
    verdicts = [verdict for _, verdict in ended]
    errors = [verdict.error for verdict in verdicts]
    match verb:
        case Verb.DELETE:
            return _ends(as_asked(calls.delete_batch(queue, ids, receipts), plan))
        case Verb.ARCHIVE:
            return _ends(calls.archive_batch(queue, ids, receipts))
        case Verb.RETRY:
            return calls.retry_batch(queue, ids, [v.delay for v in verdicts], errors, receipts)
        case Verb.BURY:
            reasons = [v.reason or "buried" for v in verdicts]
            return _ends(calls.bury_batch(queue, ids, reasons, errors, receipts))
        case Verb.RELEASE:
            return calls.release_batch(queue, ids, receipts, [v.delay for v in verdicts])
        case Verb.ARRIVE | Verb.BURY_PART | Verb.FINISH:
            return barriers.SETTLEMENTS[verb](plan, ended)
        case Verb.ACK_WITH:
            return chains.acks(plan, ended)
        case Verb.NOTHING:
            raise AssertionError("NOTHING is never sent")


def _ends(call: Call[dict[int, Outcome]]) -> Call[dict[int, Outcome]]:
    return replace(call, parse_repeated=all_gone_are_done)


def ack(held: Held) -> Call[Outcome]:
    """Build the ack that stands at the end of `ctx.tx`; any answer but done raises StaleReceipt.

    It commits with the transaction, so never asynchronously. A part of a barrier arrives with it, with the result that is
    known by now; of a callback it is noted that it has run; what a message owes goes with it.
    """
    message, plan = held.message, held.plan
    if message.headers:
        if part := part_of(message.headers):
            arrival = ack_part(
                plan.queue, message.msg_id, message.receipt, part, held.result, archive=plan.archive
            )
            return _or_nothing(held, arrival)
        if finishing := barriers.finishing(held):
            return _or_nothing(held, finishing)
        if owes(message.headers):
            return _or_nothing(held, chains.ack(held))
    verb = calls.archive if plan.archive else calls.delete
    return _or_nothing(held, verb(plan.queue, message.msg_id, message.receipt))


def burial(held: Held, reason: str) -> Call[Outcome]:
    """Build the burial that stands at the end of a poison hook's `ctx.tx`; fenced as `ack`."""
    message, queue = held.message, held.plan.queue
    if part := part_of(message.headers):
        return _or_nothing(held, bury_part(queue, message.msg_id, message.receipt, part, reason))
    return _or_nothing(held, calls.bury(queue, message.msg_id, reason, receipt=message.receipt))


def _or_nothing(held: Held, plain: Call[Outcome]) -> Call[Outcome]:
    """Let a call raise StaleReceipt for any answer but done, so that the transaction is rolled back."""
    message, queue = held.message, held.plan.queue

    def fenced(rows: Rows) -> Outcome:
        outcome = plain.parse(rows)
        if outcome is not Outcome.DONE:
            raise StaleReceipt(
                f"message {message.msg_id} of queue {queue} is {outcome}: lease lost, nothing written",
                queue=queue,
                msg_id=message.msg_id,
            )
        return outcome

    return replace(plain, parse=fenced, may_commit_async=False)


def as_asked(call: Call[Any], plan: QueuePlan) -> Call[Any]:
    """Take the asynchronous commit away where the queue says `ack_commit: sync`."""
    return call if plan.ack_async else replace(call, may_commit_async=False)
