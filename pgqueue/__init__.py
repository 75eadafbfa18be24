"""A message queue that lives in Postgres as plain SQL, and a Python runtime over it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgqueue.client.aio import AsyncPgQueue as AsyncPgQueue
    from pgqueue.client.sync import PgQueue as PgQueue
    from pgqueue.message.model import Message as Message
    from pgqueue.queue.model import Backoff as Backoff
    from pgqueue.task.answer import Bury as Bury
    from pgqueue.task.answer import Release as Release
    from pgqueue.task.answer import Retry as Retry
    from pgqueue.task.context import Context as Context
    from pgqueue.task.identity import Arg as Arg
    from pgqueue.task.identity import Identity as Identity
    from pgqueue.task.poison import Handled as Handled
    from pgqueue.task.poison import Hopeless as Hopeless
    from pgqueue.task.poison import TryLater as TryLater
    from pgqueue.task.registry import App as App

__version__ = "0.1.0"

# Names are imported at first use: the command line must not pay for psycopg to print its help.
_HOMES = {
    "AsyncPgQueue": "pgqueue.client.aio",
    "PgQueue": "pgqueue.client.sync",
    "App": "pgqueue.task.registry",
    "Backoff": "pgqueue.queue.model",
    "Identity": "pgqueue.task.identity",
    "Arg": "pgqueue.task.identity",
    "Context": "pgqueue.task.context",
    "Retry": "pgqueue.task.answer",
    "Bury": "pgqueue.task.answer",
    "Release": "pgqueue.task.answer",
    "Message": "pgqueue.message.model",
    "Handled": "pgqueue.task.poison",
    "Hopeless": "pgqueue.task.poison",
    "TryLater": "pgqueue.task.poison",
}

__all__ = [
    "App",
    "Arg",
    "AsyncPgQueue",
    "Backoff",
    "Bury",
    "Context",
    "Handled",
    "Hopeless",
    "Identity",
    "Message",
    "PgQueue",
    "Release",
    "Retry",
    "TryLater",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
