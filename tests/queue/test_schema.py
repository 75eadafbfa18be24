from __future__ import annotations

import pytest

from pgqueue.errors import SchemaMismatch
from pgqueue.migrate.sql_files import load
from pgqueue.queue.schema import REQUIRED_SCHEMA, check_schema


def test_required_schema_is_the_newest_migration_of_this_package() -> None:
    assert max(migration.version for migration in load().migrations) == REQUIRED_SCHEMA


def test_schema_of_a_newer_release_is_served_unless_it_was_a_breaking_one() -> None:
    assert check_schema().parse([(REQUIRED_SCHEMA, 0)]) == REQUIRED_SCHEMA
    assert check_schema().parse([(REQUIRED_SCHEMA + 3, REQUIRED_SCHEMA)]) == REQUIRED_SCHEMA + 3
    with pytest.raises(SchemaMismatch, match="newer release"):
        check_schema().parse([(REQUIRED_SCHEMA + 3, REQUIRED_SCHEMA + 1)])


def test_older_schema_is_refused_with_the_cure() -> None:
    with pytest.raises(SchemaMismatch, match="Run pgqueue migrate"):
        check_schema().parse([(REQUIRED_SCHEMA - 1, 0)])
