"""Options that say which database, and the client made from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pgqueue.settings import find_direct_dsn, find_dsn

if TYPE_CHECKING:
    from pgqueue.client.sync import PgQueue

F = TypeVar("F", bound=Callable[..., Any])

dsn_option = click.option(
    "--dsn", metavar="DSN", help="postgresql:// URI or key=value pairs. Default: see pgqueue --help."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for scripts.")


def open_client(dsn: str | None) -> PgQueue:
    """Return a client for the database that the options and the environment name."""
    # psycopg takes 150 ms to import: not before a command needs it.
    from pgqueue.client.sync import PgQueue  # noqa: PLC0415

    return PgQueue(dsn)


def direct_conninfo(dsn: str | None) -> str:
    """Return the conninfo of the direct door where there is one, else of the DSN; starts the embedded Postgres if need be."""
    direct = find_direct_dsn(None, os.environ) if dsn is None else None
    found = direct or find_dsn(dsn, os.environ)
    if not found.is_embedded:
        return found.conninfo
    from pgqueue.db import embedded  # noqa: PLC0415

    return embedded.ensure(announce=lambda line: click.echo(line, err=True))
