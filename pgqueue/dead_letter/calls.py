"""Verbs on dead letters: look, and send back. `bury` belongs to the message."""

from __future__ import annotations

from collections.abc import Sequence

from pgqueue.call import Call, Repeat, Rows
from pgqueue.dead_letter.model import DeadLetter
from pgqueue.message import rules
from pgqueue.message.model import decode_columns
from pgqueue.queue.rules import check_name

_COLUMNS = (
    "queue, msg_id, reason, error, read_ct, release_ct, priority, group_key, enqueued_at, last_read_at, "
    "holder, died_at, redriven_as, redriven_at, message::text, headers::text"
)


def dead_letters(
    queue: str, *, after_id: int = 0, qty: int = 20, waiting_only: bool = False
) -> Call[list[DeadLetter]]:
    """Return dead letters of one queue by msg_id; page on with `after_id`.

    `waiting_only` leaves out those that were redriven. An unknown queue has none.
    """
    return Call(
        "dead_letter.list",
        f"select {_COLUMNS} from pgqueue.dead_letters where queue = %s and msg_id > %s "
        "and (redriven_as is null or not %s) order by msg_id limit %s",
        (check_name(queue), rules.check_id("after_id", after_id), waiting_only, rules.check_qty(qty)),
        _dead_letters_of,
        repeat=Repeat.ALWAYS,
    )


def redrive(queue: str, msg_ids: Sequence[int] | None = None) -> Call[dict[int, int]]:
    """Send dead letters again as new messages, and return {old id: new id}.

    None means all that weren't redriven before. One that is unknown or was redriven before is left out; so
    after a lost answer the ids are in `redriven_as`.
    """
    if msg_ids is not None:
        rules.check_batch("msg_ids", msg_ids)
        msg_ids = [rules.check_id("msg_id", msg_id) for msg_id in msg_ids]
    return Call(
        "dead_letter.redrive",
        f"select * from pgqueue.redrive__{check_name(queue)}(msg_ids => %s::bigint[])",
        (msg_ids,),
        dict,
        queue=queue,
    )


def _dead_letters_of(rows: Rows) -> list[DeadLetter]:
    letters = []
    for row in rows:
        (payload, headers), broken = decode_columns(row[14:16])
        letters.append(DeadLetter._make((*row[:14], payload, headers, broken)))
    return letters
