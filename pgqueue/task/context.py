"""What a handler is told about the message it works on, and what it may ask of the consumer."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from pgqueue.log import get_logger
from pgqueue.reply.rules import follows_of
from pgqueue.schedule.rules import slot_of
from pgqueue.task.identity import Subject, printable

if TYPE_CHECKING:
    from pgqueue.barrier.model import CallbackOf, PartOf
    from pgqueue.message.model import Message
    from pgqueue.reply.model import Follows
    from pgqueue.schedule.model import Slot


class Transaction(AbstractContextManager[Any], AbstractAsyncContextManager[Any], Protocol):
    """Gives a psycopg.Connection to `with`, a psycopg.AsyncConnection to `async with`."""


class Step(AbstractContextManager[Any], AbstractAsyncContextManager[Any], Protocol):
    """One effect of a message: `with` gives a connection when it is to be done, None when it is done."""

    def on(self, connection: Any, /) -> Any:
        """Note the step as done in a transaction of yours: True when it is to be done now, False when it is done.

        An async connection gives an awaitable of that. The step is noted if and only if your transaction
        commits. Raises ClientMisuse on a connection in autocommit that isn't inside of one.
        """


class Lease(Protocol):
    """What a context asks the consumer about the lease that it holds."""

    def still_mine(self) -> bool: ...

    def transaction(self) -> Transaction: ...

    def step(self, name: str, /) -> Step: ...

    def arrive_with(self, value: object, /) -> None: ...


class Context:
    """Handed to a handler that names a parameter `ctx: Context`.

    `message` is the claimed message, `identity` what it is about, `attempt` which run this is: 1 for the
    first, releases left out. `task` is None in a handler for plain messages. `part`: which part of a barrier the message
    says it is. `from_barrier`: the barrier that has sent it at its end; None for any other message, whatever its headers
    say.
    """

    __slots__ = ("_lease", "attempt", "from_barrier", "identity", "message", "part", "queue", "task")

    def __init__(
        self,
        queue: str,
        task: str | None,
        message: Message,
        identity: Subject,
        lease: Lease,
        part: PartOf | None = None,
        from_barrier: CallbackOf | None = None,
    ) -> None:
        self.queue = queue
        self.task = task
        self.message = message
        self.identity = identity
        self.attempt = message.read_ct - message.release_ct
        self.part = part
        self.from_barrier = from_barrier
        self._lease = lease

    @property
    def follows(self) -> Follows | None:
        """The message that this one was sent after, as its `on_success` or `on_error`; None for any other message.

        With the result of the task before it, or with why it died. It is what the headers say: the library writes them,
        but whoever may send by SQL could.
        """
        return follows_of(self.message.headers, self.message.message)

    @property
    def slot(self) -> Slot | None:
        """Which slot of which schedule this message was sent for; None for any other message. It is what the headers say."""
        return slot_of(self.message.headers)

    @property
    def logger(self) -> Any:
        """A structlog logger with the identifiers of this message bound."""
        bound: dict[str, Any] = {
            "queue": self.queue,
            "msg_id": self.message.msg_id,
            "attempt": self.attempt,
        }
        named = {"task": self.task, "key": self.identity.key, "scope": self.identity.scope}
        bound |= {name: printable(value) for name, value in named.items() if value is not None}
        return get_logger("pgqueue.handler").bind(**bound)

    def still_mine(self) -> bool:
        """Tell whether the lease is held, as far as is known here; ask before what can't be undone."""
        return self._lease.still_mine()

    def tx(self) -> Transaction:
        """Open a transaction whose last statement is the ack: effects and ack are committed, or neither.

        `with ctx.tx() as connection:` in a plain handler, `async with` in an async one. The commit is
        synchronous. Raises StaleReceipt, and rolls back, when the lease was lost; InDoubt when the answer to
        the commit was lost: the message then comes back, or is gone. An exception inside the block rolls back
        and leaves the message unsettled. After the commit the message is done, whatever the handler returns
        or raises. Don't commit or close the connection yourself.
        """
        return self._lease.transaction()

    def once(self, step: str) -> Step:
        """Do an effect of this message once, however often the message comes back, also after a redrive.

        `with ctx.once("invoice") as connection:` opens a transaction and gives its connection, or None when the
        step has been committed before: then do nothing. Effect and note are committed together. `step` is a
        name of 1 to 255 bytes, unique in the message. What isn't written through that connection (mail, HTTP)
        may still happen twice: when the process dies between the effect and the commit. Raises StaleReceipt
        when the lease was lost, QueueBusy when another holder is at the same step, InDoubt as `tx` does.
        """
        return self._lease.step(step)

    def arrive_with(self, value: object) -> None:
        """Say what this message brings, before the block of `ctx.tx()` ends; elsewhere a return does it.

        A part of a barrier arrives with it (at most 16 MiB), a request is replied with it, and `on_success` gets it
        (at most 1 MiB). Does nothing for any other message. Raises PayloadError for what can't travel as JSON or is
        larger, ClientMisuse after the commit.
        """
        self._lease.arrive_with(value)
