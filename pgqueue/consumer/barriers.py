"""What is done otherwise with a message that is a part of a barrier, or that a barrier has sent at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pgqueue.barrier import settle
from pgqueue.barrier.model import SKIPPED_DUPLICATE_CALLBACK, CallbackOf, PartOf
from pgqueue.barrier.rules import callback_of, part_of, result_text
from pgqueue.call import Call, Rows
from pgqueue.consumer.model import Doors, Held, QueuePlan, TransactionSource, Verb, Verdict
from pgqueue.consumer.outcome import Postponed, done
from pgqueue.errors import ClientMisuse, PgQueueError
from pgqueue.log import get_logger
from pgqueue.message.model import Outcome
from pgqueue.periodic import is_of_the_server
from pgqueue.reply.rules import owes
from pgqueue.reply.rules import result_text as owed_text
from pgqueue.task.answer import Answer
from pgqueue.task.poison import PoisonAnswer

log = get_logger("pgqueue.consumer")

NO_RESULT = (Answer, PoisonAnswer)
OF_A_PART = {Verb.DELETE: Verb.ARRIVE, Verb.ARCHIVE: Verb.ARRIVE, Verb.BURY: Verb.BURY_PART}
OF_A_CALLBACK = {Verb.DELETE: Verb.FINISH, Verb.ARCHIVE: Verb.FINISH}
OF_ONE_THAT_OWES = {Verb.DELETE: Verb.ACK_WITH, Verb.ARCHIVE: Verb.ACK_WITH}

Settlement = Call[dict[int, Outcome]]


def as_settled(held: Held, verdict: Verdict) -> Verdict:
    """Say how a verdict is settled: a part arrives with its ack and fails with its burial, a callback is noted with its ack.

    What is owed for an ack, a reply or another message, goes with it; for a burial the database sees to that itself.
    """
    headers = held.message.headers
    if not headers:
        return verdict
    verb = verdict.verb
    if verb in OF_A_PART and part_of(headers):
        return replace(verdict, verb=OF_A_PART[verb])
    if verb in OF_A_CALLBACK and callback_of(headers):
        return replace(verdict, verb=OF_A_CALLBACK[verb])
    if verb in OF_ONE_THAT_OWES and owes(headers):
        return replace(verdict, verb=OF_ONE_THAT_OWES[verb])
    return verdict


def keep_result(held: Held, answer: object) -> None:
    """Keep what the handler of a part returned, for its arrival, or of what owes it; None leaves what `arrive_with` said.

    Raises: PayloadError for what can't travel as JSON or is too large.
    """
    headers = held.message.headers
    if headers and answer is not None and not isinstance(answer, NO_RESULT) and not held.acked:
        held.result = _text_of(headers, answer)


def _text_of(headers: dict[str, Any], value: object) -> str | None:
    if part_of(headers):
        return result_text(value)
    return owed_text(value) if owes(headers) else None


def arrive_with(held: Held, value: object) -> None:
    """Let a message bring this result; where nobody asked for one, nobody gets it. Raises: PayloadError, ClientMisuse."""
    if held.acked or held.in_doubt:
        raise ClientMisuse(
            "this message's transaction has already been committed, and the arrival with it",
            cure="Call `ctx.arrive_with(...)` inside of the `ctx.tx()` block.",
        )
    held.result = _text_of(held.message.headers or {}, value)


def arrival(plan: QueuePlan, ended: Sequence[tuple[Held, Verdict]]) -> Settlement:
    """Build the ack of parts. It never commits asynchronously: others may have seen the callback by then."""
    results = [held.result for held, _ in ended]
    return settle.ack_parts(plan.queue, *_named(ended), results, archive=plan.archive)


def burial(plan: QueuePlan, ended: Sequence[tuple[Held, Verdict]]) -> Settlement:
    """Build the burial of parts."""
    reasons = [verdict.reason or "buried" for _, verdict in ended]
    return settle.bury_parts(plan.queue, *_named(ended), reasons, [verdict.error for _, verdict in ended])


def finish(_: QueuePlan, ended: Sequence[tuple[Held, Verdict]]) -> Settlement:
    """Build the ack of one callback; it never commits asynchronously, for what it notes must not be lost."""
    held = ended[0][0]
    msg_id = held.message.msg_id
    single = finishing(held)
    if single is None:
        raise AssertionError("only a callback is finished")
    plain: Call[Any] = single
    return replace(
        plain,
        parse=lambda rows: {msg_id: single.result(rows)},
        parse_repeated=lambda rows: {msg_id: single.result(rows, repeated=True)},
    )


def finishing(held: Held) -> Call[Outcome] | None:
    """Build the ack of a callback; None for any other message."""
    message, plan = held.message, held.plan
    callback = callback_of(message.headers)
    if callback is None:
        return None
    return settle.finish_callback(plan.queue, message.msg_id, message.receipt, callback, archive=plan.archive)


class Guard:
    """Asks the barrier that a message says it was sent by; to be asked once, before the handler.

    The question is a transaction of its own, on a connection of those of `ctx.tx()`, and over before the handler runs.
    What the message says is believed only where the barrier says the same: `held.from_barrier`.
    """

    def __init__(self, transactions: TransactionSource, held: Held, callback: CallbackOf) -> None:
        self._held, self._callback = held, callback
        self._state: str | None = None
        plain: Call[Any] = settle.callback_state(held.plan.queue, held.message.msg_id, callback)
        self._question = transactions.beginning_with(replace(plain, parse=self._heard))

    @classmethod
    def of(cls, held: Held, doors: Doors) -> Guard | None:
        """Return the guard of a callback; None for any other message."""
        headers = held.message.headers
        callback = callback_of(headers) if headers else None
        return None if callback is None else cls(doors.transactions, held, callback)

    def finds_it_over(self) -> bool:
        """Tell whether a run of this callback has finished before. Raises: Postponed while the server can't say."""
        try:
            with self._question:
                return self._state == "finished"
        except PgQueueError as error:
            raise _unasked(error) from error

    async def finds_it_over_async(self) -> bool:
        """Do the same for asyncio."""
        try:
            async with self._question:
                return self._state == "finished"
        except PgQueueError as error:
            raise _unasked(error) from error

    def _heard(self, rows: Rows) -> bool:
        self._state = rows[0][0]
        self._held.from_barrier = None if self._state == "unknown" else self._callback
        return True


def _unasked(error: PgQueueError) -> Exception:
    return Postponed(f"its barrier can't be asked: {error}") if is_of_the_server(error) else error


def skipped(held: Held) -> Verdict:
    """Ack a callback unrun."""
    log.info(
        "callback.skipped",
        queue=held.plan.queue,
        msg_id=held.message.msg_id,
        attempt=held.attempt,
        outcome=SKIPPED_DUPLICATE_CALLBACK,
    )
    return done(held.plan)


def _named(ended: Sequence[tuple[Held, Verdict]]) -> tuple[list[int], list[int | None], list[PartOf]]:
    messages = [held.message for held, _ in ended]
    parts = [part for message in messages if (part := part_of(message.headers)) is not None]
    return [message.msg_id for message in messages], [message.receipt for message in messages], parts


SETTLEMENTS: dict[Verb, Callable[[QueuePlan, Sequence[tuple[Held, Verdict]]], Settlement]] = {
    Verb.ARRIVE: arrival,
    Verb.BURY_PART: burial,
    Verb.FINISH: finish,
}
