from __future__ import annotations

import dataclasses

import pytest

from pgqueue.errors import ConfigurationError, SchemaMismatch
from pgqueue.migrate.plan import Plan, SchemaState, plan
from pgqueue.migrate.sql_files import Migration, SqlFiles

FIRST = Migration(1, "create_schema", "the first tables", False, "create schema pgqueue;", "sum1")
SECOND = Migration(2, "add_column", "room for more", True, "alter table pgqueue.queue add x int;", "sum2")
FILES = SqlFiles((FIRST, SECOND), "roles", "functions", "views", "grants")
EMPTY = SchemaState(150000, "UTF8", {}, None)
CURRENT = SchemaState(180003, "UTF8", {1: "sum1", 2: "sum2"}, FILES.checksum)


def test_empty_database_gets_everything_in_order() -> None:
    steps = plan(FILES, EMPTY, "0.1.0")
    assert steps == Plan((FIRST, SECOND), functions=True)
    assert not steps.empty
    assert [line.split(":")[0] for line in steps.lines()] == [
        "migration 0001 create_schema",
        "migration 0002 add_column",
        "functions, views, grants",
    ]


def test_current_schema_needs_nothing() -> None:
    steps = plan(FILES, CURRENT, "0.1.0")
    assert steps.empty
    assert steps.lines() == ["nothing to do: the schema is up to date"]


@pytest.mark.parametrize(
    "state",
    [
        dataclasses.replace(CURRENT, functions_checksum="of an older release"),
        dataclasses.replace(CURRENT, functions_checksum=None),
        dataclasses.replace(CURRENT, roles_ready=False),
    ],
)
def test_changed_functions_or_roles_without_grants_are_re_applied_without_migrations(
    state: SchemaState,
) -> None:
    assert plan(FILES, state, "0.1.0") == Plan((), functions=True)


def test_pending_migration_re_applies_the_functions_too() -> None:
    assert plan(FILES, dataclasses.replace(CURRENT, applied={1: "sum1"}), "0.1.0") == Plan(
        (SECOND,), functions=True
    )


def test_server_before_15_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="PostgreSQL 14"):
        plan(FILES, dataclasses.replace(EMPTY, server_version=140012), "0.1.0")


def test_encoding_other_than_utf8_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="LATIN1"):
        plan(FILES, dataclasses.replace(EMPTY, encoding="LATIN1"), "0.1.0")


def test_schema_of_a_stranger_is_refused_by_its_objects() -> None:
    with pytest.raises(SchemaMismatch, match="jobs, users"):
        plan(FILES, dataclasses.replace(EMPTY, strangers=("jobs", "users")), "0.1.0")


def test_newer_schema_is_refused_with_both_versions() -> None:
    newer = dataclasses.replace(CURRENT, applied={1: "sum1", 2: "sum2", 7: "sum7"})
    with pytest.raises(SchemaMismatch, match=r"version 7.*up to 2.*Upgrade the package"):
        plan(FILES, newer, "0.1.0")


def test_edited_migration_is_refused_by_its_number() -> None:
    with pytest.raises(SchemaMismatch, match="0002 was edited"):
        plan(FILES, dataclasses.replace(CURRENT, applied={1: "sum1", 2: "other"}), "0.1.0")


def test_functions_of_a_newer_release_are_not_replaced_by_older_ones() -> None:
    state = dataclasses.replace(CURRENT, functions_checksum="theirs", functions_release="0.10.0")
    with pytest.raises(SchemaMismatch, match=r"release 0\.10\.0 applied the functions"):
        plan(FILES, state, "0.9.3")
    assert plan(FILES, state, "0.10.0").functions, "the same release may re-apply: a checkout under work"
    assert plan(FILES, dataclasses.replace(state, functions_checksum=FILES.checksum), "0.9.3").empty
