"""Options that say which database, and the client made from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pgqueue.errors import PgQueueError, QueueNotFound
from pgqueue.settings import find_direct_dsn, find_dsn

if TYPE_CHECKING:
    from pgqueue.client.sync import PgQueue

F = TypeVar("F", bound=Callable[..., Any])

dsn_option = click.option(
    "--dsn", metavar="DSN", help="postgresql:// URI or key=value pairs. Default: see pgqueue --help."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for scripts.")


@contextmanager
def open_client(dsn: str | None) -> Iterator[PgQueue]:
    """Give a client for the database that the options and the environment name.

    A queue that doesn't exist is answered with the names that are near.
    """
    # psycopg takes 150 ms to import: not before a command needs it.
    from pgqueue.client.sync import PgQueue  # noqa: PLC0415

    with PgQueue(dsn) as client:
        try:
            yield client
        except QueueNotFound as error:
            raise _with_near_names(error, client) from error


def direct_conninfo(dsn: str | None) -> str:
    """Return the conninfo of the direct door where there is one, else of the DSN; starts the embedded Postgres if need be."""
    direct = find_direct_dsn(None, os.environ) if dsn is None else None
    found = direct or find_dsn(dsn, os.environ)
    if not found.is_embedded:
        return found.conninfo
    from pgqueue.db import embedded  # noqa: PLC0415

    return embedded.ensure(announce=lambda line: click.echo(line, err=True))


def _with_near_names(error: QueueNotFound, client: PgQueue) -> QueueNotFound:
    wanted = error.queue or "NAME"
    try:
        names = [info.queue for info in client.list_queues()]
    except PgQueueError:
        return error  # a producer may not list queues, and the first error is the one that counts
    near = get_close_matches(wanted, names, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    cure = f"{hint}`pgqueue queues list` shows all; `pgqueue queues create {wanted}` makes it."
    return QueueNotFound(error.message, cure=cure, sqlstate=error.sqlstate, **error.fields)
