"""The acks of messages that owe something: a reply to whoever waits for it, or another message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pgqueue.barrier.calls import ring
from pgqueue.call import Call
from pgqueue.consumer.model import Held, QueuePlan, Verdict
from pgqueue.message.model import Outcome
from pgqueue.reply.rules import queue_after
from pgqueue.reply.settle import ack_one_with, ack_with


def acks(plan: QueuePlan, ended: Sequence[tuple[Held, Verdict]]) -> Call[dict[int, Outcome]]:
    """Build the ack of messages of one queue, with what each has brought. It never commits asynchronously."""
    messages = [held.message for held, _ in ended]
    call = ack_with(
        plan.queue,
        [message.msg_id for message in messages],
        [message.receipt for message in messages],
        [held.result for held, _ in ended],
        archive=plan.archive,
    )
    return _rung(call, [held for held, _ in ended])


def ack(held: Held) -> Call[Outcome]:
    """Build the ack of one, with what it has brought by now."""
    message, plan = held.message, held.plan
    call = ack_one_with(plan.queue, message.msg_id, message.receipt, held.result, archive=plan.archive)
    return _rung(call, [held])


def _rung(call: Call[Any], members: Sequence[Held]) -> Call[Any]:
    """Let whoever waits for the messages that follow be woken after the commit."""
    queues = {queue for held in members if (queue := queue_after(held.message.headers))}
    return replace(call, after_commit=ring(queues=queues)) if queues else call
