"""What a handler is told about the message it works on, and what it may ask of the consumer."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from pgqueue.log import get_logger
from pgqueue.task.identity import Subject

if TYPE_CHECKING:
    from pgqueue.message.model import Message


class Transaction(AbstractContextManager[Any], AbstractAsyncContextManager[Any], Protocol):
    """Gives a psycopg.Connection to `with`, a psycopg.AsyncConnection to `async with`."""


class Lease(Protocol):
    """What a context asks the consumer about the lease that it holds."""

    def still_mine(self) -> bool: ...

    def transaction(self) -> Transaction: ...


class Context:
    """Handed to a handler that names a parameter `ctx: Context`.

    `message` is the claimed message, `identity` what it is about, `attempt` which run this is: 1 for the
    first, releases left out. `task` is None in a handler for plain messages.
    """

    __slots__ = ("_lease", "attempt", "identity", "message", "queue", "task")

    def __init__(
        self, queue: str, task: str | None, message: Message, identity: Subject, lease: Lease
    ) -> None:
        self.queue = queue
        self.task = task
        self.message = message
        self.identity = identity
        self.attempt = message.read_ct - message.release_ct
        self._lease = lease

    @property
    def logger(self) -> Any:
        """A structlog logger with the identifiers of this message bound."""
        bound = {
            "queue": self.queue,
            "msg_id": self.message.msg_id,
            "task": self.task,
            "attempt": self.attempt,
            "key": self.identity.key,
            "scope": self.identity.scope,
        }
        return get_logger("pgqueue.handler").bind(
            **{name: value for name, value in bound.items() if value is not None}
        )

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
