"""The verbs on barriers, named as in SQL without `barrier_`. Each returns a `Call`; nothing is sent until a runner runs it.

What a consumer calls when a part or a callback ends is in `settle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pgqueue.barrier import rules
from pgqueue.barrier.model import (
    Aborted,
    Arrival,
    BarrierInfo,
    MissingPart,
    Options,
    PartOf,
    PartResult,
    Sending,
    Swept,
)
from pgqueue.call import Call, Repeat, Rows, scalar
from pgqueue.errors import InvalidInput
from pgqueue.message.model import decode_columns
from pgqueue.message.rules import check_id, check_key, check_text, clean_error
from pgqueue.queue.rules import check_name

MOST_ROWS = 10_000
DEFAULT = Options()

_INFO = (
    "key, generation, state, policy, parts, done, failed, open, progress::float8, armed_at, last_progress_at, "
    "deadline_at, stalls_at, ended_at, reason, callback_queue, callback_msg_id, callback_finished_at, kept_until"
)


def arm(
    key: str, parts: Sequence[Sending], callback: Sending, options: Options = DEFAULT
) -> Call[int | None]:
    """Send the messages of all parts and arm the barrier that waits for them; return the generation of this run.

    Parts are numbered from 0, in their order. None, and nothing is written, where there are no parts. Raises:
    BarrierLive when a live barrier has the key, KeyBusy while another open transaction arms it.
    """
    return Call(
        "barrier.arm",
        "select g, g is not null from pgqueue.barrier_arm(key => %s, parts => %s::jsonb, callback => %s::jsonb, "
        "options => %s::jsonb) g",
        (
            rules.check_barrier_key(key),
            rules.parts_text(parts),
            rules.sending_text(callback, "callback"),
            rules.options_text(options),
        ),
        scalar,
        after_commit=ring(queues=_queues(parts or [callback])),
    )


def add(part: PartOf, parts: Sequence[Sending]) -> Call[int | None]:
    """Let a live part add parts to its barrier before it arrives; return the number of the first, None for none.

    A part that is handled again adds again: call it on the connection of `ctx.tx()`, or in a step of `ctx.once()`.
    Raises: PartNotLive.
    """
    return Call(
        "barrier.add",
        "select f, f is not null from pgqueue.barrier_add(key => %s, generation => %s, part => %s, parts => %s::jsonb) f",
        (*part, rules.parts_text(parts)),
        scalar,
        after_commit=ring(queues=_queues(parts)) if parts else None,
    )


def arrive(part: PartOf, result: object = None) -> Call[Arrival]:
    """Note that a part has done its work, in a transaction that also acks its message. Safe to repeat."""
    return Call(
        "barrier.arrive",
        "select a, a = 'fired' from pgqueue.barrier_arrive(key => %s, generation => %s, part => %s, result => %s::jsonb) a",
        (*part, rules.result_text(result)),
        lambda rows: Arrival(rows[0][0]),
        repeat=Repeat.ALWAYS,
        after_commit=ring(generations=[part.generation]),
    )


def fail(part: PartOf, error: str | None = None) -> Call[Arrival]:
    """Note that a part will never do its work, in a transaction that also buries its message."""
    return Call(
        "barrier.fail",
        "select f, f in ('fired', 'failed') from pgqueue.barrier_fail(key => %s, generation => %s, part => %s, "
        "error => %s) f",
        (*part, clean_error(error)),
        lambda rows: Arrival(rows[0][0]),
        after_commit=ring(generations=[part.generation]),
    )


def abort(key: str, reason: str | None = None, generation: int | None = None) -> Call[Aborted]:
    """End the live barrier of a key without its callback; its `on_failure` is sent. Safe to repeat."""
    return Call(
        "barrier.abort",
        "select pgqueue.barrier_abort(key => %s, reason => %s, generation => %s)",
        (
            rules.check_barrier_key(key),
            None if reason is None else check_text("reason", reason),
            _id_or_none("generation", generation),
        ),
        lambda rows: Aborted(rows[0][0]),
        repeat=Repeat.ALWAYS,
    )


def barriers(
    key: str | None = None, *, state: str | None = None, before: int | None = None, qty: int = 100
) -> Call[list[BarrierInfo]]:
    """Return runs of barriers, the newest first; page on with the last generation as `before`."""
    wanted, newer = check_key("key", key), _id_or_none("before", before)
    return Call(
        "barrier.list",
        f"select {_INFO} from pgqueue.barriers where (%s::text is null or key = %s) and (%s::text is null or state = %s) "
        "and (%s::bigint is null or generation < %s) order by generation desc limit %s",
        (wanted, wanted, state, state, newer, newer, _check_rows(qty)),
        lambda rows: [BarrierInfo._make(row) for row in rows],
        repeat=Repeat.ALWAYS,
    )


def barrier(key: str, generation: int | None = None) -> Call[BarrierInfo | None]:
    """Return the newest run of a key, or the given one; None where there is none."""
    wanted = _id_or_none("generation", generation)
    return Call(
        "barrier.show",
        f"select {_INFO} from pgqueue.barriers where key = %s and (%s::bigint is null or generation = %s) "
        "order by generation desc limit 1",
        (rules.check_barrier_key(key), wanted, wanted),
        lambda rows: BarrierInfo._make(rows[0]) if rows else None,
        repeat=Repeat.ALWAYS,
    )


def missing(key: str, generation: int | None = None, *, qty: int = 100) -> Call[list[MissingPart]]:
    """Return the open parts of the newest run of a key, each with where its message is."""
    return Call(
        "barrier.missing",
        "select * from pgqueue.barrier_missing(key => %s, generation => %s, qty => %s)",
        (rules.check_barrier_key(key), generation, _check_rows(qty)),
        lambda rows: [MissingPart._make(row) for row in rows],
        repeat=Repeat.ALWAYS,
    )


def results(key: str, generation: int, *, after_part: int = -1, qty: int = 100) -> Call[list[PartResult]]:
    """Return a page of what the parts brought, in their order; page on with `after_part`."""
    return Call(
        "barrier.results",
        "select part, state, error, result::text from pgqueue.barrier_results(key => %s, generation => %s, "
        "after_part => %s, qty => %s)",
        (rules.check_barrier_key(key), generation, after_part, _check_rows(qty)),
        _results_of,
        repeat=Repeat.ALWAYS,
    )


def sweep() -> Call[Swept | None]:
    """Look at the barrier that most needs it: expired, stalled, parts lost? None when nothing is due."""
    return Call(
        "barrier.sweep",
        "select * from pgqueue.barrier_sweep()",
        (),
        lambda rows: Swept._make(rows[0]) if rows else None,
        repeat=Repeat.ALWAYS,
    )


def forget(qty: int = MOST_ROWS) -> Call[int]:
    """Remove parts of a barrier past its retention; return how many rows went, 0 when none is due."""
    return Call(
        "barrier.forget",
        "select pgqueue.barrier_forget(qty => %s)",
        (_check_rows(qty),),
        scalar,
        repeat=Repeat.ALWAYS,
    )


def ring(queues: Iterable[str] = (), generations: Iterable[int] = ()) -> Call[bool]:
    """Wake who waits in these queues, or for what these barriers have sent at their end; after the commit."""
    names = ", ".join(f"'{check_name(queue)}'" for queue in sorted(set(queues)))
    numbers = ", ".join(str(int(generation)) for generation in sorted(set(generations)))
    # Written out, for hints of one transaction are told apart by their SQL.
    return Call(
        "barrier.ring",
        f"select * from pgqueue.barrier_ring(queues => array[{names}]::text[], generations => array[{numbers}]::bigint[])",
        (),
        scalar,
        repeat=Repeat.ALWAYS,
        may_commit_async=True,
    )


def _queues(sendings: Iterable[Sending]) -> list[str]:
    return [one.queue for one in sendings if one.queue is not None]


def _results_of(rows: Rows) -> list[PartResult]:
    found = []
    for part, state, error, text in rows:
        (result,), broken = decode_columns([text])
        found.append(PartResult(part, state, result, error if broken is None else broken))
    return found


def _id_or_none(name: str, value: int | None) -> int | None:
    return None if value is None else check_id(name, value)


def _check_rows(qty: Any) -> int:
    if isinstance(qty, bool) or not isinstance(qty, int) or not 1 <= qty <= MOST_ROWS:
        raise InvalidInput(f"qty can't be {qty!a}, allowed are 1 .. {MOST_ROWS}", argument="qty")
    return qty


__all__ = [
    "abort",
    "add",
    "arm",
    "arrive",
    "barrier",
    "barriers",
    "fail",
    "forget",
    "missing",
    "results",
    "ring",
    "sweep",
]
