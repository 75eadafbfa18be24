"""The verb that notes a step of a message: part of `message.calls`, which exports it."""

from __future__ import annotations

from pgqueue.call import Call, Rows
from pgqueue.errors import StaleReceipt
from pgqueue.message import rules
from pgqueue.queue.rules import check_name


def begin_step(queue: str, msg_id: int, receipt: int, step: str) -> Call[bool]:
    """Note a step as done, in the transaction that does it; False: it was done before, leave it out.

    To be run first on a connection whose transaction then does the step. Raises StaleReceipt when the lease was
    lost.
    """
    rules.check_key("step", rules.check_text("step", step))

    def parse(rows: Rows) -> bool:
        answer = rows[0][0]
        if answer in ("first", "again"):
            return bool(answer == "first")
        raise StaleReceipt(
            f"message {msg_id} of queue {queue} is {answer}: lease lost, step not begun",
            queue=queue,
            msg_id=msg_id,
        )

    return Call(
        "message.begin_step",
        f"select * from pgqueue.begin_step__{check_name(queue)}(msg_id => %s, receipt => %s, step => %s)",
        (rules.check_id("msg_id", msg_id), rules.check_id("receipt", receipt), step),
        parse,
        queue=queue,
    )
