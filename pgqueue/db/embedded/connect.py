"""Connection strings for an embedded server, and the database in it."""

from __future__ import annotations

import re

from pgqueue.errors import Unavailable

CONNECT_SECONDS = 10


def conninfo(**parts: str | int) -> str:
    """Join the parts as libpq's `key=value` string. Written here so that no driver is loaded for it."""
    return " ".join(f"{key}={_quoted(str(value))}" for key, value in parts.items())


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w./:*+-]+", value, re.ASCII):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def create_database(admin: str, name: str) -> bool:
    """Create the database through a connection to another one; false when it was there. Safe to race.

    Raises Unavailable when the server refuses.
    """
    import psycopg  # noqa: PLC0415 - `embedded status` does without the driver
    from psycopg import errors, sql  # noqa: PLC0415

    try:
        with psycopg.connect(admin, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            if connection.execute("select from pg_database where datname = %s", [name]).rowcount:
                return False
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        return False
    except psycopg.Error as error:
        raise Unavailable(
            f"the embedded Postgres refuses to make the database {name}: {error}", cure="Try again."
        ) from error
    return True
