"""Whether this package can serve the schema that stands in the database."""

from __future__ import annotations

from pgqueue.call import Call, Repeat, Rows
from pgqueue.errors import SchemaMismatch

# The newest migration that this package's calls rely on; a test holds it against sql/migrations.
REQUIRED_SCHEMA = 5


def check_schema() -> Call[int]:
    """Return the version of the schema in the database.

    Raises: SchemaMismatch when it is older than this package needs, or was changed by a newer release in a way that
    this package can't serve.
    """
    return Call(
        "queue.check_schema",
        "select version, breaking from pgqueue.schema_version()",
        (),
        _check,
        repeat=Repeat.ALWAYS,
    )


def _check(rows: Rows) -> int:
    version, breaking = rows[0]
    if version < REQUIRED_SCHEMA:
        raise SchemaMismatch(
            f"the schema is at version {version}, this package needs {REQUIRED_SCHEMA}",
            cure="Run pgqueue migrate.",
        )
    if breaking > REQUIRED_SCHEMA:
        raise SchemaMismatch(
            f"the schema was changed by a newer release (breaking migration {breaking})",
            cure="Upgrade this package; until then a worker of this release can't serve the database.",
        )
    return int(version)
