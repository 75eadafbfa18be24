"""The verbs of the reaper. Each returns a `Call`; nothing is sent until a runner runs it."""

from __future__ import annotations

from pgqueue.call import Call, Repeat, column, nothing, scalar
from pgqueue.message.rules import check_qty
from pgqueue.queue.rules import check_name
from pgqueue.reaper.model import Answer, Chore, Done, SweepInfo, Turn


def begin(chore: Chore, holder: str, token: int) -> Call[Turn]:
    """Begin a run of a chore if it is due; the next one is planned before this one is tried.

    A lost answer leaves the chore to its next turn.
    """
    return Call(
        "reaper.begin",
        "select answer, extract(epoch from wait)::float8 from pgqueue.begin_sweep("
        "chore => %s, every => make_interval(secs => %s), holder => %s, token => %s)",
        (chore.name, chore.every, holder, token),
        lambda rows: Turn(Answer(rows[0][0]), rows[0][1]),
        may_commit_async=True,
    )


def end(chore: Chore, token: int, done: Done) -> Call[None]:
    """Report a run of a chore. A lost answer may leave it uncounted."""
    return Call(
        "reaper.end",
        "select * from pgqueue.end_sweep(chore => %s, token => %s, moved => %s, error => %s, more => %s)",
        (chore.name, token, done.moved, done.error, done.more),
        nothing,
        may_commit_async=True,
    )


def queues() -> Call[list[str]]:
    """Return the names of all queues."""
    return Call("reaper.queues", "select * from pgqueue.swept_queues()", (), column, repeat=Repeat.ALWAYS)


def forget_finished(queue: str, qty: int = 1_000) -> Call[int]:
    """Remove what the archive, the dead letters and the idempotency keys of a queue are to keep no longer, up to `qty` each."""
    return Call(
        "reaper.forget_finished",
        "select pgqueue.forget_finished(queue => %s, qty => %s)",
        (check_name(queue), check_qty(qty)),
        scalar,
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def sweeps() -> Call[list[SweepInfo]]:
    """Return every chore with its last run. Needs the observer's role."""
    return Call(
        "reaper.sweeps",
        "select chore, state, holder, every, last_run_at, last_moved, total, runs, failures, last_failed_at, last_error, "
        "next_at from pgqueue.sweeps order by chore",
        (),
        lambda rows: [SweepInfo._make(row) for row in rows],
        repeat=Repeat.ALWAYS,
    )
