"""Bring a database's schema to this package's release, in one transaction under one lock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from pgqueue.errors import PermissionDenied, SchemaMismatch
from pgqueue.migrate.plan import Plan, SchemaState, plan
from pgqueue.migrate.sql_files import SqlFiles, load

ROLES = ("pgqueue_producer", "pgqueue_consumer", "pgqueue_operator", "pgqueue_observer")


class Script(Protocol):
    """An open transaction that takes whole SQL files; `db.script.open_script` gives one."""

    def run(self, sql: str) -> None: ...

    def rows(self, sql: str, *params: object) -> list[tuple[Any, ...]]: ...


OpenScript = Callable[[], AbstractContextManager[Script]]

_STRANGERS = """
    select c.relname::text from pg_catalog.pg_class c where c.relnamespace = to_regnamespace('pgqueue')
    union select p.proname::text from pg_catalog.pg_proc p where p.pronamespace = to_regnamespace('pgqueue')
    union select t.typname::text from pg_catalog.pg_type t where t.typnamespace = to_regnamespace('pgqueue')
    order by 1 limit 5"""
_UNREADY_ROLES = """
    select w.name from unnest(%s::text[]) w(name) left join pg_catalog.pg_roles r on r.rolname = w.name
    where case when r.oid is null then %s
               else not pg_catalog.has_schema_privilege(r.oid, 'pgqueue', 'usage') end"""


def inspect(script: Script, *, roles: bool = True) -> SchemaState:
    """Read what the database says of itself; writes nothing. With `roles` a role that is missing counts as unready."""
    (version, encoding, ours), *_ = script.rows(
        "select current_setting('server_version_num')::integer, current_setting('server_encoding'),"
        " to_regclass('pgqueue.migration') is not null and to_regclass('pgqueue.applied_functions') is not null"
    )
    if not ours:
        strangers = tuple(row[0] for row in script.rows(_STRANGERS))
        return SchemaState(version, encoding, {}, None, strangers)
    applied = script.rows("select m.version, m.checksum from pgqueue.migration m order by m.version")
    functions = script.rows("select f.checksum, f.package_version from pgqueue.applied_functions f")
    unready = script.rows(_UNREADY_ROLES, list(ROLES), roles)
    checksum, release = functions[0] if functions else (None, "0")
    return SchemaState(version, encoding, dict(applied), checksum, (), not unready, release)


def preview(open_script: OpenScript, *, package_version: str, roles: bool = True) -> Plan:
    """Say what `migrate` would do; writes nothing."""
    with open_script() as script:
        return plan(load(), inspect(script, roles=roles), package_version)


def migrate(open_script: OpenScript, *, package_version: str, roles: bool = True) -> Plan:
    """Apply what is missing; safe to repeat and to run many times at once (the others wait, then find nothing to do).

    One transaction: killed anywhere, nothing is left. Waits at most 5 s for each lock on a table or view in use, as
    long as it takes for another migrate. Raises: SchemaMismatch, ConfigurationError, PermissionDenied.
    """
    files = load()
    with open_script() as script:
        # A stricter default of the database would take its snapshot before the wait and not see what the others did.
        script.run("set transaction isolation level read committed")
        script.run("select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pgqueue.ddl', 0))")
        steps = plan(files, inspect(script, roles=roles), package_version)
        if not steps.empty:
            script.run(
                "set local lock_timeout = '5s'; set local check_function_bodies = off; set local search_path = pg_catalog"
            )
            if roles:
                _make_roles(script, files)
            _apply(script, files, steps, package_version)
        script.run("select pgqueue.lift_sequence(q.queue) from pgqueue.queue q order by q.queue")
        return steps


def _make_roles(script: Script, files: SqlFiles) -> None:
    missing = script.rows(
        "select r from unnest(%s::text[]) r where r not in (select rolname from pg_catalog.pg_roles)",
        list(ROLES),
    )
    if not missing:
        return
    (may,) = script.rows(
        "select rolcreaterole or rolsuper from pg_catalog.pg_roles where rolname = current_user"
    )[0]
    if not may:
        statements = " ".join(f"create role {row[0]} nologin;" for row in missing)
        raise PermissionDenied(
            "this role may not create roles",
            cure=f"Let an administrator run: {statements} or migrate with --no-roles (only the owner can use the queues then).",
        )
    script.run(files.roles)


def _apply(script: Script, files: SqlFiles, steps: Plan, package_version: str) -> None:
    for migration in steps.migrations:
        script.run(migration.sql)
    if script.rows("select to_regclass('pgqueue.queue')")[0][0] is None:
        raise SchemaMismatch("the schema pgqueue has no table queue", cure="Restore it from a backup.")
    script.run(files.functions)
    script.run(files.views)
    _drop_orphans(script)
    script.run(
        "select pgqueue.create_tables('template_queue', 1) where to_regclass('pgqueue.r_template_queue') is null;"
        "select pgqueue.refresh_views('template_queue');"
        "select pgqueue.refresh_clones(q.queue), pgqueue.grant_tables(q.queue)"
        " from pgqueue.queue q order by q.queue"
    )
    script.run(files.grants)
    for migration in steps.migrations:
        script.rows(
            "insert into pgqueue.migration (version, name, checksum, breaking, package_version, applied_at)"
            " values (%s, %s, %s, %s, %s, pgqueue.clock()) returning version",
            migration.version,
            migration.name,
            migration.checksum,
            migration.breaking,
            package_version,
        )
    script.rows(
        "insert into pgqueue.applied_functions (checksum, package_version, applied_at) values (%s, %s, pgqueue.clock())"
        " on conflict (only_row) do update set checksum = excluded.checksum, package_version = excluded.package_version,"
        " applied_at = excluded.applied_at returning only_row",
        files.checksum,
        package_version,
    )


def _drop_orphans(script: Script) -> None:
    """Drop functions that this release doesn't define, and older signatures beside the ones that it does.

    What the files have just defined was written by this transaction. A signature that got a parameter with a default
    would else stay as an overload, and short calls would be ambiguous. refresh_clones drops the clones.
    """
    orphans = script.rows(
        "select p.oid::regprocedure::text from pg_catalog.pg_proc p where p.pronamespace = 'pgqueue'::regnamespace"
        " and (p.proname not like '%\\_\\_%' or p.proname ~ '^[a-z]+(_[a-z]+)*__template_(queue|log)$')"
        " and p.xmin <> pg_catalog.pg_current_xact_id()::xid"
    )
    for (signature,) in orphans:
        script.run(f"drop function {signature}")


def as_script(files: SqlFiles, package_version: str, *, roles: bool = True) -> str:
    """Write a first installation as one psql script, for people who apply by hand."""
    versions = "\n".join(
        f"insert into pgqueue.migration values ({m.version}, '{m.name}', '{m.checksum}', {str(m.breaking).lower()},"
        f" '{package_version}', pgqueue.clock());"
        for m in files.migrations
    )
    return "\n".join(
        [
            "\\set ON_ERROR_STOP on",
            "-- pgqueue: a first installation, for an empty database. Upgrades are applied by `pgqueue migrate`.",
            "begin;",
            "set local check_function_bodies = off;",
            *([files.roles] if roles else []),
            *(m.sql for m in files.migrations),
            files.functions,
            files.views,
            "select pgqueue.create_tables('template_queue', 1);",
            "select pgqueue.refresh_views('template_queue');",
            files.grants,
            versions,
            f"insert into pgqueue.applied_functions values (true, '{files.checksum}', '{package_version}', pgqueue.clock());",
            "commit;",
            "",
        ]
    )
