"""One transaction on the direct door for whole SQL files: what migrations need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pgqueue.db.doors import CONNECT_TIMEOUT
from pgqueue.db.sqlstate import translate
from pgqueue.errors import ConfigurationError, Unavailable
from pgqueue.settings import mask


class PsycopgScript:
    """An open transaction. `run` takes many statements at once, `rows` one with parameters."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def run(self, sql: str) -> None:
        # Files hold % signs and many statements: no parameters, so the simple protocol takes them as they are.
        self._connection.execute(sql.encode())

    def rows(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql.encode(), params or None).fetchall()


@contextmanager
def open_script(conninfo: str) -> Iterator[PsycopgScript]:
    """Connect and open a transaction; it commits when the block ends well. Works through a transaction pooler too.

    Raises: Unavailable when the server can't be reached or refuses; ConfigurationError for a DSN that can't be read;
    other errors translated by their SQLSTATE.
    """
    try:
        with _connect(conninfo) as connection:
            yield PsycopgScript(connection)
    except psycopg.Error as error:
        raise translate(error) from error


def _connect(conninfo: str) -> psycopg.Connection[tuple[Any, ...]]:
    try:
        given: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT} | conninfo_to_dict(conninfo)
        return psycopg.connect(
            prepare_threshold=None, **{"fallback_application_name": "pgqueue/migrate"} | given
        )
    except psycopg.ProgrammingError:
        # The driver's text may quote a piece of the password.
        raise ConfigurationError(
            "the DSN can't be read", cure="Give postgresql://user:password@host:5432/database."
        ) from None
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"can't connect to {mask(conninfo) or 'what the PG* variables name'}: "
            + mask(str(error).strip().partition("\n")[0]),
            cure="Check that Postgres runs there and that user, password and database are right.",
        ) from None
