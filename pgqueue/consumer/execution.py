"""The life of one message: find its handler, run it, and decide how the message ends."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable, Sequence
from typing import Any

from pgqueue.barrier.rules import part_of, without_mark
from pgqueue.consumer import outcome
from pgqueue.consumer.barriers import Guard, keep_result, skipped
from pgqueue.consumer.failure import describe
from pgqueue.consumer.job import Batch, Job, Work, identifiers, subject_of
from pgqueue.consumer.model import Clock, Doors, Held, Verb, Verdict
from pgqueue.consumer.redaction import redact
from pgqueue.consumer.transaction import HeldLease
from pgqueue.errors import ClaimHeld
from pgqueue.log import get_logger
from pgqueue.reply.model import RESULT_MARK
from pgqueue.task import identity as identities
from pgqueue.task.answer import Answer
from pgqueue.task.context import Context
from pgqueue.task.conversion import BadArguments
from pgqueue.task.handler import Handler
from pgqueue.task.payload import TaskPayload, parse
from pgqueue.task.poison import PoisonAnswer, TryLater
from pgqueue.task.registry import App

log = get_logger("pgqueue.consumer")

MOST_IDS = 100


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

    def a_slot_takes(self, queue: str) -> int:
        """Say how many messages of a queue one call of its handler gets."""
        handler = self._app.plain.get(queue)
        return (handler.batch if handler is not None else None) or 1

    def prepare(self, held: Held) -> Work | Verdict:
        """Find who handles a message; a message that nobody may run gets its verdict here.

        A batch comes with this one message: whoever starts it adds what it `wants`.
        """
        message, plan = held.message, held.plan
        if message.broken is not None:
            return self._buried(held, outcome.malformed(message.broken))
        payload = parse(message.message)
        if isinstance(payload, TaskPayload):
            handler: Handler | None = self._app.tasks.get(payload.task)
            kwargs = without_mark(payload.kwargs)
            kwargs.pop(RESULT_MARK, None)
            job = None if handler is None else Job(held, handler, payload.task, payload.args, kwargs)
        else:
            handler = self._app.plain.get(plan.queue)
            job = None if handler is None else Job(held, handler, None, [message.message], {})
        if job is None:
            return self._nobody(held, payload)
        if outcome.is_poison(held):
            return self._poisoned(job)
        return job if job.handler.batch is None else Batch.beginning_with(held, job.handler)

    def ends(self, work: Work) -> Sequence[Verdict]:
        """Run plain work in the calling thread; one verdict a member. Never raises."""
        if isinstance(work, Job):
            return (self.run(work),)
        try:
            if (guard := Guard.of(work.held, self._doors)) and guard.finds_it_over():
                return (skipped(work.held),)
            answer = work.handler.function([held.message for held in work.members])
            return self._batch_returned(work, answer)
        except BaseException as error:  # noqa: BLE001 - a handler is foreign code: SystemExit and the like are its failure
            return self._batch_raised(work, error)

    async def ends_async(self, work: Work, *, stopping: Callable[[], bool]) -> Sequence[Verdict]:
        """Run async work; one verdict a member. Never raises; cancelled while `stopping`, it gives them back."""
        if isinstance(work, Job):
            return (await self.run_async(work, stopping=stopping),)
        try:
            if (guard := Guard.of(work.held, self._doors)) and await guard.finds_it_over_async():
                return (skipped(work.held),)
            answer = await work.handler.function([held.message for held in work.members])
            return self._batch_returned(work, answer)
        except asyncio.CancelledError as error:
            if stopping():
                return [_unless_settled(held, outcome.RELEASE) for held in work.members]
            _uncancel()
            return self._batch_raised(work, error)
        except BaseException as error:  # noqa: BLE001 - as above
            return self._batch_raised(work, error)

    def run(self, job: Job) -> Verdict:
        """Run a plain handler or hook, in the calling thread. Never raises."""
        try:
            if (guard := Guard.of(job.held, self._doors)) and guard.finds_it_over():
                return skipped(job.held)
            function, args, kwargs = self._what_to_call(job)
            answer = function(*args, **kwargs)
            _check_answer(answer, job)
            keep_result(job.held, answer)
            return self._returned(job, answer)
        except BaseException as error:  # noqa: BLE001 - as above
            return self._raised(job, error)

    async def run_async(self, job: Job, *, stopping: Callable[[], bool]) -> Verdict:
        """Run an async handler or hook. Never raises; cancelled while `stopping`, it gives the message back."""
        try:
            if (guard := Guard.of(job.held, self._doors)) and await guard.finds_it_over_async():
                return skipped(job.held)
            function, args, kwargs = self._what_to_call(job)
            answer = await function(*args, **kwargs)
            _check_answer(answer, job)
            keep_result(job.held, answer)
            return self._returned(job, answer)
        except asyncio.CancelledError as error:
            if stopping():
                return _unless_settled(job.held, outcome.RELEASE)
            _uncancel()
            return self._raised(job, error)
        except BaseException as error:  # noqa: BLE001 - as above
            return self._raised(job, error)

    def _what_to_call(self, job: Job) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
        if job.hook is not None:
            return job.hook.function, [self._context(job)], {}
        handler, args, kwargs = job.handler, job.args, job.kwargs
        if handler.conversion is not None:
            args, kwargs = handler.conversion.load(args, kwargs)
        if handler.layout.context is not None:
            args, kwargs = handler.layout.arguments(args, kwargs, self._context(job))
        return handler.function, args, kwargs

    def _context(self, job: Job) -> Context:
        held = job.held
        lease = HeldLease(held, self._doors, self._now, is_poison=job.hook is not None)
        part, by = part_of(held.message.headers), held.from_barrier
        return Context(held.plan.queue, job.task, held.message, subject_of(job), lease, part, by)

    def _returned(self, job: Job, answer: object) -> Verdict:
        if _is_settled(job.held):
            return outcome.NOTHING
        if isinstance(answer, PoisonAnswer):
            return self._decided(job, answer)
        if not isinstance(answer, Answer):
            return outcome.done(job.held.plan)
        return self._answered(job, outcome.answered(job.held, answer, job.handler.backoff, self._chance))

    def _raised(self, job: Job, error: BaseException) -> Verdict:
        if isinstance(error, KeyboardInterrupt):
            self._interrupted()
        if _is_settled(job.held):
            log.error("message.failed", **identifiers(job), error=describe(error), settled=True)
            return outcome.NOTHING
        if isinstance(error, BadArguments):
            return self._buried(job.held, outcome.malformed(str(error)), job)
        if job.hook is not None and not isinstance(error, KeyboardInterrupt):
            if isinstance(error, PoisonAnswer):
                return self._decided(job, error)
            return self._decided(job, TryLater(), describe(error))
        verdict = outcome.raised(job.held, error, job.handler.backoff, self._chance)
        if isinstance(error, Answer):
            return self._answered(job, verdict)
        if isinstance(error, (outcome.Postponed, ClaimHeld)):
            log.info(
                "message.postponed", **identifiers(job), why=str(error), retry_in=round(verdict.delay, 3)
            )
            return verdict
        log.error("message.failed", **identifiers(job), error=verdict.error, retry_in=round(verdict.delay, 3))
        return verdict

    def _answered(self, job: Job, verdict: Verdict) -> Verdict:
        if verdict.verb is Verb.BURY:
            log.warning("message.buried", **identifiers(job), reason=verdict.reason)
        return verdict

    def _batch_returned(self, batch: Batch, answer: object) -> list[Verdict]:
        _check_answer(answer)
        verdicts = outcome.batch_answered(batch.members, answer, batch.handler.backoff, self._chance)
        return [_unless_settled(*end) for end in zip(batch.members, verdicts, strict=True)]

    def _batch_raised(self, batch: Batch, error: BaseException) -> list[Verdict]:
        if isinstance(error, KeyboardInterrupt):
            self._interrupted()
        if isinstance(error, (Answer, KeyboardInterrupt, outcome.Postponed, ClaimHeld)):
            verdicts = [
                outcome.raised(held, error, batch.handler.backoff, self._chance) for held in batch.members
            ]
        else:
            why = describe(error)
            log.error(
                "batch.failed",
                queue=batch.held.plan.queue,
                messages=len(batch.members),
                msg_ids=[held.message.msg_id for held in batch.members[:MOST_IDS]],
                error=why,
            )
            verdicts = [
                outcome.failed(held, why, batch.handler.backoff, self._chance) for held in batch.members
            ]
        return [_unless_settled(*end) for end in zip(batch.members, verdicts, strict=True)]

    def _nobody(self, held: Held, payload: TaskPayload | str) -> Verdict:
        queue = held.plan.queue
        if isinstance(payload, str):
            why = f"no task message ({payload}), and queue {queue} has no handler for plain messages"
            return self._buried(held, outcome.malformed(why))
        task = identities.printable(payload.task)
        verdict = outcome.unknown(held.message, held.plan, f"no task of the name {task!r} is registered")
        if verdict.verb is Verb.BURY:
            return self._buried(held, verdict, task=task)
        log.warning(
            "message.unrecognised", queue=queue, msg_id=held.message.msg_id, task=task, retry_in=verdict.delay
        )
        return verdict

    def _buried(
        self, held: Held, verdict: Verdict, job: Job | None = None, *, task: str | None = None
    ) -> Verdict:
        if job is not None:
            named = identifiers(job)
        else:
            named = {"queue": held.plan.queue, "msg_id": held.message.msg_id, "attempt": held.attempt}
            named |= {} if task is None else {"task": task}
        log.error("message.buried", **named, reason=verdict.reason, error=verdict.error)
        return verdict

    def _poisoned(self, job: Job) -> Job | Verdict:
        """Say so before anything else; then leave the rest to the hook, where there is one that can do something."""
        log.error("message.poisoned", **identifiers(job), payload=redact(job.held.message.message))
        hook = self._app.poison_hook(job.handler, job.held.plan.queue)
        unidentified = not identities.is_found(job.handler.identity, subject_of(job))
        if hook is None or unidentified:
            return self._buried(job.held, outcome.poison(unidentified=hook is not None), job)
        job.hook = hook
        return job

    def _decided(self, job: Job, answer: PoisonAnswer, error: str | None = None) -> Verdict:
        verdict = outcome.decided(job.held, answer)
        if verdict.verb is Verb.RETRY:
            log.warning("hook.deferred", **identifiers(job), error=error, retry_in=verdict.delay)
            return verdict
        say = log.warning if verdict.reason == "handled" else log.error
        say("message.buried", **identifiers(job), reason=verdict.reason, error=error)
        return verdict


def _is_settled(held: Held) -> bool:
    """Nothing is left to settle: acked with the handler's effects, in doubt, or lost to another holder."""
    return held.acked or held.in_doubt or held.lost


def _unless_settled(held: Held, verdict: Verdict) -> Verdict:
    return outcome.NOTHING if _is_settled(held) else verdict


def _check_answer(answer: Any, job: Job | None = None) -> None:
    """Refuse what would be taken for another answer by mistake: work that nobody would run, `Retry` without its ()."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()  # else it warns that it was never awaited
        raise TypeError("the handler returned an awaitable that nobody would run")
    if isinstance(answer, type) and issubclass(answer, (Answer, PoisonAnswer)):
        raise TypeError(f"the handler returned the class {answer.__name__}, not {answer.__name__}(...)")
    if (job is not None and job.hook is not None) != isinstance(answer, PoisonAnswer):
        raise TypeError(
            f"a poison hook returns Handled, Hopeless or TryLater, and nothing else does:"
            f" this returned {type(answer).__name__}"
        )


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
