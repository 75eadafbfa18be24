"""One transaction on the direct door for whole SQL files: what migrations need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from pgqueue.db.sqlstate import translate


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

    Raises: Unavailable when the server can't be reached; other errors translated by their SQLSTATE.
    """
    try:
        with psycopg.connect(
            conninfo, prepare_threshold=None, fallback_application_name="pgqueue/migrate"
        ) as connection:
            yield PsycopgScript(connection)
    except psycopg.Error as error:
        raise translate(error) from error
