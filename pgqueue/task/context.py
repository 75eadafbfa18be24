"""What a handler is told about the message it works on, and what it may ask of the consumer."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from pgqueue.log import get_logger
from pgqueue.task.identity import Subject, printable

if TYPE_CHECKING:
    from pgqueue.barrier.model import CallbackOf, PartOf
    from pgqueue.message.model import Message


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
        """Say what this part of a barrier arrives with, before the block of `ctx.tx()` ends; elsewhere a return does it.

        Does nothing for a message that is no part. Raises PayloadError for what can't travel as JSON or has over
        16 MiB, ClientMisuse after the commit.
        """
        self._lease.arrive_with(value)
