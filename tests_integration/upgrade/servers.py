"""The servers that upgrades are tested on: the wheel's, and every other major version that this machine has."""

from __future__ import annotations

import contextlib
import itertools
import re
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
from pgqueue.migrate.plan import OLDEST_SERVER, Plan

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
    """Name the servers to test on: the wheel's always, and what the distribution installed beside it."""
    found = {
        int(path.parent.parent.name): path.parent
        for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin/postgres")
    }
    return [WHEEL, *(str(path) for major, path in sorted(found.items()) if major * 10000 >= OLDEST_SERVER)]


def label(server: str) -> str:
    return re.sub(r".*postgresql/(\d+)/bin", r"postgres \1", server)


def wheel_programs() -> Path:
    return find_binaries().bin_dir


def script_of(conninfo: str) -> OpenScript:
    return partial(open_script, conninfo)


def install(conninfo: str, *, roles: bool = True) -> Plan:
    return migrate(script_of(conninfo), package_version=VERSION, roles=roles)
