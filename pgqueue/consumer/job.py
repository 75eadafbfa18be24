"""What a slot runs: one message with its handler or its poison hook, or a batch of plain messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pgqueue.barrier.rules import callback_of
from pgqueue.consumer.model import Held
from pgqueue.task import identity as identities
from pgqueue.task.handler import Handler
from pgqueue.task.identity import Subject, printable
from pgqueue.task.payload import parse
from pgqueue.task.poison import PoisonHook


@dataclass(slots=True, eq=False)
class Job:
    """A message with its handler and the arguments to call it with. `task` is None for a plain message.

    With `hook` the message is poison: the hook is asked, the handler isn't run.
    """

    held: Held
    handler: Handler
    task: str | None
    args: list[Any]
    kwargs: dict[str, Any]
    hook: PoisonHook | None = None

    @property
    def members(self) -> Sequence[Held]:
        return (self.held,)

    @property
    def is_async(self) -> bool:
        return (self.hook or self.handler).is_async


@dataclass(slots=True, eq=False)
class Batch:
    """Messages that one call of a batch handler gets: never more than it asked for.

    A message that was tried before is a batch of its own, so that one bad message costs the others one run; so is the
    callback of a barrier, which may have to be acked unrun.
    """

    handler: Handler
    members: list[Held]
    queue: str
    size: int

    @classmethod
    def beginning_with(cls, held: Held, handler: Handler) -> Self:
        alone = held.attempt > 1 or callback_of(held.message.headers)
        size = None if alone else handler.batch
        return cls(handler, [held], held.plan.queue, size or 1)

    @property
    def held(self) -> Held:
        return self.members[0]

    @property
    def is_async(self) -> bool:
        return self.handler.is_async

    def wants(self, held: Held) -> bool:
        """Tell whether this message may join."""
        message = held.message
        return (
            len(self.members) < self.size
            and held.plan.queue == self.queue
            and message.read_ct - message.release_ct == 1
            and message.broken is None
            and not callback_of(message.headers)
            and not _names_a_task(message.message)
        )


Work = Job | Batch


def subject_of(job: Job) -> Subject:
    """Say what a message is about: what the producer stored, else what its payload tells."""
    kept = identities.stored(job.held.message.headers)
    if job.task is not None:
        found = identities.resolve(job.handler.identity, job.args, job.kwargs, job.handler.layout.names)
    else:
        found = identities.resolve(job.handler.identity, [], job.held.message.message)
    return identities.settle(kept, found)


def identifiers(job: Job) -> dict[str, Any]:
    """Name the message for the log."""
    subject = subject_of(job)
    names = {"task": job.task, "key": subject.key, "scope": subject.scope}
    return {
        "queue": job.held.plan.queue,
        "msg_id": job.held.message.msg_id,
        "attempt": job.held.attempt,
        **{name: printable(value) for name, value in names.items() if value is not None},
    }


def _names_a_task(payload: Any) -> bool:
    return type(payload) is dict and "task" in payload and not isinstance(parse(payload), str)
