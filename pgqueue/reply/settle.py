"""The acks of messages that owe something: a reply, or another message. Sent by whoever consumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pgqueue.call import Call, Repeat, Rows
from pgqueue.errors import InvalidInput
from pgqueue.message import rules
from pgqueue.message.model import Outcome
from pgqueue.queue.rules import check_name

MAX_TEXT_BYTES = 255 * 1024 * 1024
# One JSON array, taken apart by the server: an array parameter of jsonb costs 25 us an element in the driver.
_RESULTS = "array(select nullif(value, 'null') from jsonb_array_elements(%s::jsonb))"


def ack_with(
    queue: str,
    msg_ids: Sequence[int],
    receipts: Sequence[int | None],
    results: Sequence[str | None],
    *,
    archive: bool = False,
) -> Call[dict[int, Outcome]]:
    """Ack messages with what each has brought, as texts of `rules.result_text`; their replies and continuations go with it.

    It never commits asynchronously. Raises: ContinuationFailed, and then none of them is acked.
    """
    rules.check_batch("msg_ids", msg_ids)
    rules.check_batch("receipts", receipts, length=len(msg_ids))
    rules.check_batch("results", results, length=len(msg_ids))
    text = "[" + ",".join(one or "null" for one in results) + "]"
    if len(text) > MAX_TEXT_BYTES:
        problem = f"the results have {len(text)} characters of JSON"
        raise InvalidInput(problem, cure="Ack in smaller batches.", argument="results")
    return Call(
        "reply.ack_with",
        "select msg_id, outcome, sent from pgqueue.ack_with(queue => %s, msg_ids => %s::bigint[], "
        f"receipts => %s::bigint[], results => {_RESULTS}, archive => %s)",
        (check_name(queue), list(msg_ids), list(receipts), text, archive),
        _outcomes_of,
        repeat=Repeat.ALWAYS,
        queue=queue,
        parse_repeated=_done_anyway,
    )


def ack_one_with(
    queue: str, msg_id: int, receipt: int | None, result: str | None, *, archive: bool = False
) -> Call[Outcome]:
    """Ack one: what ends the transaction of its effects."""
    plain: Call[Any] = ack_with(queue, [msg_id], [receipt], [result], archive=archive)
    return replace(
        plain,
        parse=lambda rows: _outcomes_of(rows)[msg_id],
        parse_repeated=lambda rows: _done_anyway(rows)[msg_id],
    )


def _outcomes_of(rows: Rows) -> dict[int, Outcome]:
    return {msg_id: Outcome(outcome) for msg_id, outcome, _ in rows}


def _done_anyway(rows: Rows) -> dict[int, Outcome]:
    """Read a repeated call: what is gone went with the first run."""
    found = _outcomes_of(rows)
    return {msg_id: Outcome.DONE if outcome is Outcome.GONE else outcome for msg_id, outcome in found.items()}
