"""The servers that upgrades are tested on: the wheel's, and every other major version that this machine has."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pgqueue.db.embedded import find_binaries
from pgqueue.db.script import open_script
from pgqueue.migrate.apply import OpenScript, migrate
from pgqueue.migrate.plan import Plan
from tests_integration.fixtures.servers import other_servers

WHEEL = "wheel"
VERSION = "0.1.0"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """A running server; `bin_dir` holds the psql of its version."""

    conninfo: str
    bin_dir: Path

    @contextlib.contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """Create a database without our schema, give its conninfo, and drop it."""
        name = f"u_{next(_numbers)}_{id(self)}"
        with psycopg.connect(self.conninfo, autocommit=True) as admin:
            admin.execute(f"create database {name} {options}".encode())
            try:
                yield make_conninfo(self.conninfo, dbname=name)
            finally:
                admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def installed() -> list[str]:
    """Name the servers to test on: the wheel's of the embedded Postgres, and every other one there is."""
    return [WHEEL, *(str(path) for path in other_servers().values())]


def label(server: str) -> str:
    majors = {str(path): major for major, path in other_servers().items()}
    return f"postgres {majors[server]}" if server in majors else server


def wheel_programs() -> Path:
    return find_binaries().bin_dir


def script_of(conninfo: str) -> OpenScript:
    return partial(open_script, conninfo)


def install(conninfo: str, *, roles: bool = True) -> Plan:
    return migrate(script_of(conninfo), package_version=VERSION, roles=roles)
