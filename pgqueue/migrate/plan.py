"""Decide what an upgrade has to do, from the files and from what the database says of itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pgqueue.errors import ConfigurationError, SchemaMismatch
from pgqueue.migrate.sql_files import Migration, SqlFiles

OLDEST_SERVER = 150000


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What stands in the database. `applied`: checksum by version; `strangers`: objects in the schema without our tables.

    `functions_release`: the package version that last applied the functions. `roles_ready`: no role of ours is
    without its grants.
    """

    server_version: int
    encoding: str
    applied: Mapping[int, str]
    functions_checksum: str | None
    strangers: tuple[str, ...] = ()
    roles_ready: bool = True
    functions_release: str = "0"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, in this order: migrations, then functions, views and grants as a whole."""

    migrations: tuple[Migration, ...]
    functions: bool

    @property
    def empty(self) -> bool:
        return not self.migrations and not self.functions

    def lines(self) -> list[str]:
        """Say the plan for people, a line a step."""
        if self.empty:
            return ["nothing to do: the schema is up to date"]
        steps = [f"migration {m.version:04} {m.name}: {m.why}" for m in self.migrations]
        return [
            *steps,
            "functions, views, grants: all re-applied; every queue gets new copies of its functions",
        ]


def plan(files: SqlFiles, state: SchemaState, package_version: str) -> Plan:
    """Compare files and database.

    Raises: ConfigurationError for a server that can't hold pgqueue; SchemaMismatch when the schema isn't ours, is
    newer than this package, or a migration file was edited after it had been applied.
    """
    if state.server_version < OLDEST_SERVER:
        raise ConfigurationError(
            f"the server is PostgreSQL {state.server_version // 10000}",
            cure="pgqueue needs PostgreSQL 15 or newer.",
        )
    if state.encoding != "UTF8":
        raise ConfigurationError(
            f"the database is encoded in {state.encoding}", cure="Create a database with encoding UTF8."
        )
    if state.strangers:
        raise SchemaMismatch(
            f"a schema named pgqueue exists and isn't ours: it holds {', '.join(state.strangers)}",
            cure="Rename or drop that schema, or use another database.",
        )
    known = {migration.version: migration for migration in files.migrations}
    newer = sorted(set(state.applied) - set(known))
    if newer:
        raise SchemaMismatch(
            f"the schema is at version {newer[-1]}, this package knows up to {max(known)}",
            cure="Upgrade the package; schemas only go forward.",
        )
    for version, checksum in state.applied.items():
        if known[version].checksum != checksum:
            raise SchemaMismatch(
                f"migration {version:04} was edited after it had been applied",
                cure="Install the released package; a change is a new migration.",
            )
    stale = state.functions_checksum != files.checksum
    if stale and _numbers(state.functions_release) > _numbers(package_version):
        raise SchemaMismatch(
            f"release {state.functions_release} applied the functions, this package is {package_version}",
            cure="Upgrade the package: an older one would put its older functions back.",
        )
    pending = tuple(m for m in files.migrations if m.version not in state.applied)
    return Plan(pending, bool(pending) or stale or not state.roles_ready)


def _numbers(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)]
