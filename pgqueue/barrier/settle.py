"""What a consumer calls when a part or a callback ends: each in one transaction with the ack or the burial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pgqueue.barrier.calls import ring
from pgqueue.barrier.model import CallbackOf, PartOf
from pgqueue.barrier.rules import MAX_TEXT_BYTES
from pgqueue.call import Call, Repeat, Rows, scalar
from pgqueue.errors import InvalidInput
from pgqueue.message import rules
from pgqueue.message.model import Outcome
from pgqueue.queue.rules import check_name

# One JSON array, taken apart by the server: an array parameter of jsonb costs 25 us an element in the driver.
_RESULTS = "array(select nullif(value, 'null') from jsonb_array_elements(%s::jsonb))"


def ack_parts(
    queue: str,
    msg_ids: Sequence[int],
    receipts: Sequence[int | None],
    parts: Sequence[PartOf],
    results: Sequence[str | None],
    *,
    archive: bool = False,
) -> Call[dict[int, Outcome]]:
    """Ack messages of parts and let those arrive whose ack was done. `results` are texts of `rules.result_text`."""
    _check(msg_ids, receipts=receipts, parts=parts, results=results)
    text = "[" + ",".join(one or "null" for one in results) + "]"
    if len(text) > MAX_TEXT_BYTES:
        problem = f"the results have {len(text)} characters of JSON"
        raise InvalidInput(problem, cure="Ack in smaller batches.", argument="results")
    return Call(
        "barrier.ack",
        "select msg_id, outcome, fired from pgqueue.barrier_ack(queue => %s, msg_ids => %s::bigint[], "
        "receipts => %s::bigint[], generations => %s::bigint[], parts => %s::integer[], "
        f"results => {_RESULTS}, archive => %s)",
        (check_name(queue), list(msg_ids), list(receipts), *_places(parts), text, archive),
        _outcomes_of,
        repeat=Repeat.ALWAYS,
        queue=queue,
        parse_repeated=_done_anyway,
        after_commit=ring(generations={part.generation for part in parts}),
    )


def bury_parts(
    queue: str,
    msg_ids: Sequence[int],
    receipts: Sequence[int | None],
    parts: Sequence[PartOf],
    reasons: Sequence[str],
    errors: Sequence[str | None],
) -> Call[dict[int, Outcome]]:
    """Bury messages of parts and fail those whose burial was done, under the policies of their barriers."""
    _check(msg_ids, receipts=receipts, parts=parts, reasons=reasons, errors=errors)
    return Call(
        "barrier.bury",
        "select msg_id, outcome, fired from pgqueue.barrier_bury(queue => %s, msg_ids => %s::bigint[], "
        "receipts => %s::bigint[], generations => %s::bigint[], parts => %s::integer[], reasons => %s::text[], "
        "errors => %s::text[])",
        (
            check_name(queue),
            list(msg_ids),
            list(receipts),
            *_places(parts),
            [rules.check_text("reason", reason) for reason in reasons],
            [rules.clean_error(error) for error in errors],
        ),
        _outcomes_of,
        repeat=Repeat.ALWAYS,
        queue=queue,
        parse_repeated=_done_anyway,
        after_commit=ring(generations={part.generation for part in parts}),
    )


def ack_part(
    queue: str, msg_id: int, receipt: int | None, part: PartOf, result: str | None, *, archive: bool = False
) -> Call[Outcome]:
    """Ack one part and let it arrive: what ends the transaction of its effects."""
    return _single(ack_parts(queue, [msg_id], [receipt], [part], [result], archive=archive), msg_id)


def bury_part(
    queue: str, msg_id: int, receipt: int | None, part: PartOf, reason: str, error: str | None = None
) -> Call[Outcome]:
    """Bury one part and fail it."""
    return _single(bury_parts(queue, [msg_id], [receipt], [part], [reason], [error]), msg_id)


def callback_state(queue: str, msg_id: int, callback: CallbackOf) -> Call[str]:
    """Ask before a callback's handler runs: due, finished (ack it unrun) or unknown (run it as any other message)."""
    return Call(
        "barrier.callback",
        "select pgqueue.barrier_callback(queue => %s, msg_id => %s, generation => %s)",
        (check_name(queue), msg_id, callback.generation),
        scalar,
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def finish_callback(
    queue: str, msg_id: int, receipt: int | None, callback: CallbackOf, *, archive: bool = False
) -> Call[Outcome]:
    """Ack a callback whose handler has returned, and note that: it is not run again from now on."""
    return Call(
        "barrier.finish",
        "select pgqueue.barrier_finish(queue => %s, msg_id => %s, receipt => %s, generation => %s, archive => %s)",
        (check_name(queue), msg_id, receipt, callback.generation, archive),
        lambda rows: Outcome(rows[0][0]),
        repeat=Repeat.ALWAYS,
        queue=queue,
        parse_repeated=lambda rows: Outcome.DONE if rows[0][0] == Outcome.GONE else Outcome(rows[0][0]),
    )


def _single(call: Call[dict[int, Outcome]], msg_id: int) -> Call[Outcome]:
    plain: Call[Any] = call
    return replace(
        plain,
        parse=lambda rows: _outcomes_of(rows)[msg_id],
        parse_repeated=lambda rows: _done_anyway(rows)[msg_id],
    )


def _places(parts: Sequence[PartOf]) -> tuple[list[int], list[int]]:
    return [part.generation for part in parts], [part.part for part in parts]


def _check(msg_ids: Sequence[int], **others: Sequence[object]) -> None:
    rules.check_batch("msg_ids", msg_ids)
    for name, values in others.items():
        rules.check_batch(name, values, length=len(msg_ids))


def _outcomes_of(rows: Rows) -> dict[int, Outcome]:
    return {msg_id: Outcome(outcome) for msg_id, outcome, _ in rows}


def _done_anyway(rows: Rows) -> dict[int, Outcome]:
    """Read a repeated call: what is gone went with the first run."""
    found = _outcomes_of(rows)
    return {msg_id: Outcome.DONE if outcome is Outcome.GONE else outcome for msg_id, outcome in found.items()}
