"""The two doors into Postgres, as values: two types, so that mixing them up fails the type check."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo, timeout_from_conninfo

from pgqueue.errors import ConfigurationError
from pgqueue.settings import Dsn

CONNECT_TIMEOUT = 10
# libpq quotes what it stumbles over, and that can be a piece of the password.
_QUOTED = re.compile(r'"[^"]*"?')
BACKEND_PID = "select pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Door:
    """Where connections lead and how they are opened. pg_stat_activity shows them as `pgqueue/<role>`."""

    dsn: Dsn
    role: str = "client"
    prepare_threshold: int | None = field(default=None, init=False)
    refuses_poolers: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not self.dsn.is_embedded:
            self._parameters(self.dsn.conninfo)

    def conninfo(self) -> str:
        """Return the whole connection string; the embedded Postgres is started where it doesn't run."""
        target = self.dsn.conninfo
        if self.dsn.is_embedded:
            from pgqueue.db import embedded  # noqa: PLC0415 - most programs never need it

            target = embedded.ensure()
        return make_conninfo(**self._parameters(target))

    @property
    def connect_timeout(self) -> int:
        """The seconds that one attempt to connect may take; the DSN's own word counts."""
        given: dict[str, Any] = conninfo_to_dict(self.dsn.conninfo)
        return timeout_from_conninfo({"connect_timeout": CONNECT_TIMEOUT} | given)

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of psycopg's connect beside the connection string."""
        return {"autocommit": True, "prepare_threshold": self.prepare_threshold}

    def _parameters(self, conninfo: str) -> dict[str, Any]:
        try:
            given = conninfo_to_dict(conninfo)
        except psycopg.ProgrammingError as error:
            raise ConfigurationError(
                f"the DSN from {self.dsn.source} can't be read: {_QUOTED.sub('...', str(error)).strip()}",
                cure="Give postgresql://user:password@host:5432/database; percent-encode special characters.",
            ) from None
        ours = {
            "fallback_application_name": f"pgqueue/{self.role}",
            "client_encoding": "UTF8",
        }
        # The encoding isn't for the DSN to choose: psycopg gives bytes for text under SQL_ASCII.
        return ours | given | {"client_encoding": "UTF8"}


@dataclass(frozen=True, slots=True)
class PooledDoor(Door):
    """The door for work. It may lead through a transaction pooler, so nothing on it belongs to a session.

    No LISTEN, no session lock, no SET, no startup options, and no prepared statements: PgBouncer before 1.22
    hands the next statement to a server that doesn't know them.
    """


@dataclass(frozen=True, slots=True)
class DirectDoor(Door):
    """The door for what needs a session: LISTEN, session locks. It refuses to open through a pooler."""

    prepare_threshold: int | None = field(default=5, init=False)
    refuses_poolers: bool = field(default=True, init=False)


def is_pooler(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any], row: object) -> bool:
    """Compare the pid of the handshake with the answer to BACKEND_PID: a pooler invents the first one."""
    return (connection.info.backend_pid,) != row
