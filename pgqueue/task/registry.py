"""The app: which function handles which task, and what is done about poison."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from pgqueue.message.rules import check_qty
from pgqueue.queue.model import Backoff
from pgqueue.queue.rules import check_name, check_settings
from pgqueue.task.context import Context
from pgqueue.task.conversion import read_conversion
from pgqueue.task.handler import Handler, Task
from pgqueue.task.identity import Identity
from pgqueue.task.poison import PoisonHook, read_hook
from pgqueue.task.signature import check_handler, check_identity, read_layout, refuse, where

P = ParamSpec("P")
R = TypeVar("R")

Hook = Callable[[Context], Any]
H = TypeVar("H", bound=Hook)


class App:
    """A registry of tasks, of handlers for plain messages, and of poison hooks."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task[..., Any]] = {}
        self._plain: dict[str, Handler] = {}
        self._hooks: dict[str | None, PoisonHook] = {}

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
        on_poison: Hook | None = None,
    ) -> Callable[[Callable[P, R]], Task[P, R]]:
        """Register a function as the handler of a task; the name is "module.function" where none is given.

        `backoff` overrides the queue's, `on_poison` the hook of `App.on_poison`. Raises ConfigurationError,
        with file and line, for what can't be a handler.
        """
        check_name(queue)

        def register(function: Callable[P, R]) -> Task[P, R]:
            handler = _handler(function, queue, identity, backoff, on_poison, name)
            task: Task[P, R] = Task(**handler, name=name or f"{function.__module__}.{function.__qualname__}")
            if (other := self._tasks.get(task.name)) is not None:
                raise refuse(
                    function, f"takes the task name {task.name!r} of {where(other.function)}", "Rename one."
                )
            self._tasks[task.name] = task
            return task

        return register

    def messages(
        self,
        queue: str,
        *,
        batch: int | None = None,
        identity: Identity | None = None,
        backoff: Backoff | None = None,
        on_poison: Hook | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Register a function for the plain messages of a queue; it gets the decoded JSON as its argument.

        With `batch`, 1 to 1,000, it gets a list of up to so many `Message`s instead, all settled in one call.
        The identity is looked up in the message itself, when that is an object.
        """
        check_name(queue)
        if batch is not None:
            check_qty(batch)

        def register(function: Callable[P, R]) -> Callable[P, R]:
            handler = replace(
                Handler(**_handler(function, queue, None, backoff, on_poison, queue)),
                identity=identity,
                batch=batch,
            )
            _check_takes_one(handler)
            if (other := self._plain.get(queue)) is not None:
                raise refuse(
                    function, f"takes the plain messages of {queue} from {where(other.function)}", "Keep one."
                )
            self._plain[queue] = handler
            return function

        return register

    def on_poison(self, queue: str | None = None) -> Callable[[H], H]:
        """Register what is asked about poison where the task has no hook of its own: of one queue, or of all.

        The hook gets a `Context` and answers `Handled()`, `Hopeless()` or `TryLater()`.
        """
        if queue is not None:
            check_name(queue)

        def register(function: H) -> H:
            if queue in self._hooks:
                raise refuse(
                    function,
                    f"is a second poison hook for {queue or 'the app'}, after"
                    f" {where(self._hooks[queue].function)}",
                    "Keep one.",
                )
            self._hooks[queue] = read_hook(function)
            return function

        return register

    def poison_hook(self, handler: Handler, queue: str) -> PoisonHook | None:
        """Return the hook that is asked: the handler's own, else that of the queue, else that of the app."""
        return handler.on_poison or self._hooks.get(queue) or self._hooks.get(None)


def _handler(
    function: Callable[..., Any],
    queue: str,
    identity: Identity | None,
    backoff: Backoff | None,
    on_poison: Hook | None,
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
        "conversion": read_conversion(function, layout),
        "on_poison": None if on_poison is None else read_hook(on_poison),
        "batch": None,
    }


def _check_takes_one(handler: Handler) -> None:
    function = handler.function
    try:
        handler.layout.signature.bind(None)
    except TypeError:
        raise refuse(
            function, "can't take the message as its only argument", "Write `def handle(message)`."
        ) from None
    if handler.batch is not None and handler.layout.context is not None:
        raise refuse(
            function, "takes a batch and a context", "A context is of one message: leave out one of them."
        )
    if handler.batch is not None and handler.conversion is not None:
        raise refuse(
            function, "takes a batch of typed messages", "Write `messages: list[Message]` and convert inside."
        )
