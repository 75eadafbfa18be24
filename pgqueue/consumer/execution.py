"""The life of one message: find its handler, run it, and decide how the message ends."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pgqueue.consumer import outcome
from pgqueue.consumer.failure import describe, redact
from pgqueue.consumer.model import Clock, Doors, Held, Verb, Verdict
from pgqueue.consumer.transaction import AckingTransaction
from pgqueue.log import get_logger
from pgqueue.task import identity as identities
from pgqueue.task.answer import Answer
from pgqueue.task.context import Context, Transaction
from pgqueue.task.identity import Subject
from pgqueue.task.payload import TaskPayload, parse
from pgqueue.task.registry import App, Handler

log = get_logger("pgqueue.consumer")


@dataclass(slots=True, eq=False)
class Job:
    """A message with its handler and the arguments to call it with. `task` is None for a plain message."""

    held: Held
    handler: Handler
    task: str | None
    args: list[Any]
    kwargs: dict[str, Any]


class HeldLease:
    """Answers what a context asks about its lease."""

    def __init__(self, held: Held, doors: Doors, now: Clock) -> None:
        self._held, self._doors, self._now = held, doors, now

    def still_mine(self) -> bool:
        return not self._held.lost and not self._held.acked and self._now() < self._held.lease_until

    def transaction(self) -> Transaction:
        return AckingTransaction(self._held, self._doors.transactions)


class Execution:
    """Walks messages from claim to verdict. It reads nothing and settles nothing."""

    def __init__(
        self,
        app: App,
        doors: Doors,
        now: Clock,
        interrupted: Callable[[], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`interrupted` is called, from any thread, when a handler raises KeyboardInterrupt."""
        self._app, self._doors, self._now = app, doors, now
        self._interrupted, self._chance = interrupted, chance

    def prepare(self, held: Held) -> Job | Verdict:
        """Find who handles a message; a message that nobody may run gets its verdict here."""
        message, plan = held.message, held.plan
        if message.broken is not None:
            return self._buried(held, outcome.malformed(message.broken), None)
        payload = parse(message.message)
        if isinstance(payload, TaskPayload):
            handler: Handler | None = self._app.tasks.get(payload.task)
            job = None if handler is None else Job(held, handler, payload.task, payload.args, payload.kwargs)
        else:
            handler = self._app.plain.get(plan.queue)
            job = None if handler is None else Job(held, handler, None, [message.message], {})
        if job is None:
            return self._nobody(held, payload)
        if outcome.is_poison(held):
            return self._poisoned(job)
        return job

    def run(self, job: Job) -> Verdict:
        """Run a plain handler, in the calling thread. Never raises."""
        try:
            args, kwargs = self._arguments(job)
            answer = job.handler.function(*args, **kwargs)
            _check_answer(answer)
        except BaseException as error:  # noqa: BLE001 - a handler is foreign code: SystemExit and the like are its failure
            return self._raised(job, error)
        return self._returned(job, answer)

    async def run_async(self, job: Job, *, stopping: Callable[[], bool]) -> Verdict:
        """Run an async handler. Never raises; cancelled while `stopping`, it gives the message back."""
        try:
            args, kwargs = self._arguments(job)
            answer = await job.handler.function(*args, **kwargs)
            _check_answer(answer)
        except asyncio.CancelledError as error:
            if stopping():
                return outcome.NOTHING if _is_settled(job.held) else outcome.RELEASE
            _uncancel()
            return self._raised(job, error)
        except BaseException as error:  # noqa: BLE001 - as above
            return self._raised(job, error)
        return self._returned(job, answer)

    def _arguments(self, job: Job) -> tuple[list[Any], dict[str, Any]]:
        layout = job.handler.layout
        if layout.context is None:
            return job.args, job.kwargs
        held = job.held
        lease = HeldLease(held, self._doors, self._now)
        context = Context(held.plan.queue, job.task, held.message, subject_of(job), lease)
        return layout.arguments(job.args, job.kwargs, context)

    def _returned(self, job: Job, answer: object) -> Verdict:
        if _is_settled(job.held):
            return outcome.NOTHING
        if not isinstance(answer, Answer):
            return outcome.done(job.held.plan)
        return self._answered(job, outcome.answered(job.held, answer, job.handler.backoff, self._chance))

    def _raised(self, job: Job, error: BaseException) -> Verdict:
        if isinstance(error, KeyboardInterrupt):
            self._interrupted()
        if _is_settled(job.held):
            log.error("message.failed", **self._identifiers(job), error=describe(error), settled=True)
            return outcome.NOTHING
        verdict = outcome.raised(job.held, error, job.handler.backoff, self._chance)
        if not isinstance(error, Answer):
            log.error(
                "message.failed",
                **self._identifiers(job),
                error=verdict.error,
                retry_in=round(verdict.delay, 3),
            )
            return verdict
        return self._answered(job, verdict)

    def _answered(self, job: Job, verdict: Verdict) -> Verdict:
        if verdict.verb is Verb.BURY:
            log.warning("message.buried", **self._identifiers(job), reason=verdict.reason)
        return verdict

    def _nobody(self, held: Held, payload: TaskPayload | str) -> Verdict:
        if isinstance(payload, str):
            why = (
                f"no task message ({payload}), and queue {held.plan.queue} has no handler for plain messages"
            )
            return self._buried(held, outcome.malformed(why), None)
        why = f"no task of the name {payload.task!r} is registered"
        verdict = outcome.unknown(held.message, held.plan, why)
        if verdict.verb is Verb.BURY:
            return self._buried(held, verdict, payload.task)
        log.warning(
            "message.unrecognised",
            queue=held.plan.queue,
            msg_id=held.message.msg_id,
            task=payload.task,
            retry_in=verdict.delay,
        )
        return verdict

    def _buried(self, held: Held, verdict: Verdict, task: str | None) -> Verdict:
        log.error(
            "message.buried",
            queue=held.plan.queue,
            msg_id=held.message.msg_id,
            task=task,
            attempt=held.attempt,
            reason=verdict.reason,
            error=verdict.error,
        )
        return verdict

    def _poisoned(self, job: Job) -> Verdict:
        verdict = outcome.poison(job.held)
        log.error("message.poisoned", **self._identifiers(job), payload=redact(job.held.message.message))
        return verdict

    def _identifiers(self, job: Job) -> dict[str, Any]:
        subject = subject_of(job)
        named = {
            "queue": job.held.plan.queue,
            "msg_id": job.held.message.msg_id,
            "task": job.task,
            "attempt": job.held.attempt,
            "key": subject.key,
            "scope": subject.scope,
        }
        return {name: value for name, value in named.items() if value is not None}


def subject_of(job: Job) -> Subject:
    """Say what a message is about: what the producer stored, else what its payload tells."""
    kept = identities.stored(job.held.message.headers)
    if job.task is not None:
        found = identities.resolve(job.handler.identity, job.args, job.kwargs, job.handler.layout.names)
    else:
        found = identities.resolve(job.handler.identity, [], job.held.message.message)
    return identities.settle(kept, found)


def _is_settled(held: Held) -> bool:
    """Nothing is left to settle: acked with the handler's effects, in doubt, or lost to another holder."""
    return held.acked or held.in_doubt or held.lost


def _check_answer(answer: Any) -> None:
    """Refuse what would be taken for done by mistake: work that nobody would run, or `Retry` without its ()."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()  # else it warns that it was never awaited
        raise TypeError("the handler returned an awaitable that nobody would run")
    if isinstance(answer, type) and issubclass(answer, Answer):
        raise TypeError(f"the handler returned the class {answer.__name__}, not {answer.__name__}(...)")


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
