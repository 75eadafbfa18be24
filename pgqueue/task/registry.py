"""The app: which function handles which task, and the producer's side of each."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from pgqueue.call import Call
from pgqueue.message import calls as message_calls
from pgqueue.queue.model import Backoff
from pgqueue.queue.rules import check_name, check_settings
from pgqueue.task import identity as identities
from pgqueue.task import payload as payloads
from pgqueue.task.identity import Identity
from pgqueue.task.signature import Layout, check_handler, check_identity, read_layout, refuse, where

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
    """What `send` of the message room takes beside queue, message and headers."""

    delay: float | timedelta = 0
    key: str | None = None
    group_key: str | None = None
    priority: int = 0
    headers: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """A registered function. `queue` is where its messages are sent; any consumed queue may hold them."""

    function: Callable[..., Any]
    queue: str
    identity: Identity | None
    backoff: Backoff | None
    layout: Layout
    is_async: bool


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
    ) -> Task[P, R]:
        """Return the task with options for its sends: `charge.given(delay=60).send(client, order_id=7)`."""
        return replace(self, options=SendOptions(delay, key, group_key, priority, headers))

    def call(self, /, *args: Any, **kwargs: Any) -> Call[int]:
        """Return the send as a value that any runner runs.

        Raises TypeError when the handler can't be called so, PayloadError when an argument can't travel as
        JSON.
        """
        self._check(args, kwargs)
        options = self.options
        return message_calls.send(
            self.queue,
            payloads.build(self.name, args, kwargs),
            headers=self._headers(args, kwargs),
            delay=options.delay,
            key=options.key,
            group_key=options.group_key,
            priority=options.priority,
        )

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

    def _headers(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
        subject = identities.resolve(self.identity, args, kwargs, self.layout.names)
        return {**(self.options.headers or {}), **subject.headers()} or None


class App:
    """A registry of tasks and of handlers for plain messages."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task[..., Any]] = {}
        self._plain: dict[str, Handler] = {}

    @property
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The tasks by name."""
        return self._tasks

    @property
    def plain(self) -> Mapping[str, Handler]:
        """The handlers for plain messages by queue."""
        return self._plain

    def serves(self, queue: str) -> bool:
        """Tell whether anything here is registered for this queue."""
        return queue in self._plain or any(task.queue == queue for task in self._tasks.values())

    def task(
        self,
        name: str | None = None,
        *,
        queue: str,
        identity: Identity | None = None,
        backoff: Backoff | None = None,
    ) -> Callable[[Callable[P, R]], Task[P, R]]:
        """Register a function as the handler of a task; the name is "module.function" where none is given.

        `backoff` overrides the queue's. Raises ConfigurationError, with file and line, for what can't be a
        handler.
        """
        check_name(queue)

        def register(function: Callable[P, R]) -> Task[P, R]:
            handler = _handler(function, queue, identity, backoff, name)
            task: Task[P, R] = Task(**handler, name=name or f"{function.__module__}.{function.__qualname__}")
            if (other := self._tasks.get(task.name)) is not None:
                raise refuse(
                    function, f"takes the task name {task.name!r} of {where(other.function)}", "Rename one."
                )
            self._tasks[task.name] = task
            return task

        return register

    def messages(
        self, queue: str, *, identity: Identity | None = None, backoff: Backoff | None = None
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Register a function for the plain messages of a queue; it gets the decoded JSON as its argument.

        The identity is looked up in the message itself, when that is an object.
        """
        check_name(queue)

        def register(function: Callable[P, R]) -> Callable[P, R]:
            handler = Handler(**_handler(function, queue, None, backoff, queue))
            _check_takes_one(function, handler.layout)
            if (other := self._plain.get(queue)) is not None:
                raise refuse(
                    function, f"takes the plain messages of {queue} from {where(other.function)}", "Keep one."
                )
            self._plain[queue] = replace(handler, identity=identity)
            return function

        return register


def run_on(target: Any, call: Call[T]) -> Any:
    """Run a call on whatever `send` accepts."""
    run = getattr(target, "run", None)
    if run is not None:
        return run(call)
    from pgqueue.db.runner import on_connection  # noqa: PLC0415 - psycopg is loaded only where a connection is used

    return on_connection(target).run(call)


def _handler(
    function: Callable[..., Any],
    queue: str,
    identity: Identity | None,
    backoff: Backoff | None,
    name: str | None,
) -> dict[str, Any]:
    check_handler(function, name)
    if backoff is not None:
        check_settings({"backoff": backoff._asdict()})
    layout = read_layout(function)
    if identity is not None:
        check_identity(function, layout, identity)
    return {
        "function": function,
        "queue": queue,
        "identity": identity,
        "backoff": backoff,
        "layout": layout,
        "is_async": inspect.iscoroutinefunction(function),
    }


def _check_takes_one(function: Callable[..., Any], layout: Layout) -> None:
    try:
        layout.signature.bind(None)
    except TypeError:
        raise refuse(
            function, "can't take the message as its only argument", "Write `def handle(message)`."
        ) from None
