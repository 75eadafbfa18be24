"""A registered function, and the producer's side of a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from pgqueue.call import Call
from pgqueue.message import calls as message_calls
from pgqueue.queue.model import Backoff
from pgqueue.reply import calls as reply_calls
from pgqueue.task import identity as identities
from pgqueue.task import payload as payloads
from pgqueue.task.conversion import Conversion
from pgqueue.task.identity import Identity
from pgqueue.task.poison import PoisonHook
from pgqueue.task.signature import Layout

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class SyncTarget(Protocol):
    """A client, or a client on the caller's connection."""

    def run(self, call: Call[T], /) -> T: ...


class AsyncTarget(Protocol):
    """The same for asyncio."""

    def run(self, call: Call[T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What `send` of the message room takes beside queue and message, and what `chain` of the reply room takes."""

    delay: float | timedelta = 0
    key: str | None = None
    group_key: str | None = None
    priority: int = 0
    headers: Mapping[str, Any] | None = None
    on_success: Call[int] | None = None
    on_error: Call[int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """A registered function. `queue` is where its messages are sent; any consumed queue may hold them.

    `batch`: how many messages it takes at once, as a list; None: one, as its arguments.
    """

    function: Callable[..., Any]
    queue: str
    identity: Identity | None
    backoff: Backoff | None
    layout: Layout
    is_async: bool
    conversion: Conversion | None
    on_poison: PoisonHook | None
    batch: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Task(Handler, Generic[P, R]):
    """A handler with a name. Calling it calls the function itself; `send` brings it to a worker."""

    name: str = ""
    options: SendOptions = field(default_factory=SendOptions)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = self.function(*args, **kwargs)
        return result

    def given(
        self,
        *,
        delay: float | timedelta = 0,
        key: str | None = None,
        group_key: str | None = None,
        priority: int = 0,
        headers: Mapping[str, Any] | None = None,
        on_success: Call[int] | None = None,
        on_error: Call[int] | None = None,
    ) -> Task[P, R]:
        """Return the task with options for its sends: `charge.given(delay=60).send(client, order_id=7)`.

        `on_success` is sent in the transaction of the ack, `on_error` in that of the burial: `mail.call(order_id=7)`.
        """
        options = SendOptions(delay, key, group_key, priority, headers, on_success, on_error)
        return replace(self, options=options)

    def call(self, /, *args: Any, **kwargs: Any) -> Call[int]:
        """Return the send as a value that any runner runs.

        Typed arguments travel as the JSON that the handler's annotations read. Raises TypeError when the
        handler can't be called so, PayloadError when an argument can't travel as JSON or the handler wouldn't
        take it.
        """
        self._check(args, kwargs)
        plain, named = (args, kwargs) if self.conversion is None else self.conversion.dump(args, kwargs)
        options = self.options
        sent = message_calls.send(
            self.queue,
            payloads.build(self.name, plain, named),
            headers=self._headers(plain, named),
            delay=options.delay,
            key=options.key,
            group_key=options.group_key,
            priority=options.priority,
        )
        if options.on_success is None and options.on_error is None:
            return sent
        return reply_calls.chain(sent, on_success=options.on_success, on_error=options.on_error)

    @overload
    def send(self, target: SyncTarget, /, *args: Any, **kwargs: Any) -> int: ...

    @overload
    def send(self, target: AsyncTarget, /, *args: Any, **kwargs: Any) -> Awaitable[int]: ...

    @overload
    def send(self, target: Any, /, *args: Any, **kwargs: Any) -> Any: ...

    def send(self, target: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Send one message; return its msg_id, an awaitable of it for an async target.

        `target` is a client, `client.on(connection)`, or a psycopg connection, whose transaction the message
        then joins.
        """
        return run_on(target, self.call(*args, **kwargs))

    def _check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            self.layout.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"task {self.name} can't be called so: {error}") from None

    def _headers(self, args: Any, kwargs: Any) -> dict[str, Any] | None:
        subject = identities.resolve(self.identity, args, kwargs, self.layout.names)
        return {**(self.options.headers or {}), **subject.headers()} or None


def run_on(target: Any, call: Call[T]) -> Any:
    """Run a call on whatever `send` accepts."""
    run = getattr(target, "run", None)
    if run is not None:
        return run(call)
    from pgqueue.db.runner import on_connection  # noqa: PLC0415 - psycopg is loaded only where a connection is used

    return on_connection(target).run(call)
