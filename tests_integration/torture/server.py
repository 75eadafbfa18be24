"""The throw-away server of a run: its settings, its schema, and what is in the queue at the end."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from pgqueue.db.embedded import Cluster, scratch_directory
from tests_integration.fixtures.cluster import install_schema
from tests_integration.torture.schedule import Schedule

QUEUE = "torture"
OPTIONS = {
    "max_prepared_transactions": "5",
    "deadlock_timeout": "200ms",
    "autovacuum_naptime": "1s",
    "autovacuum_vacuum_cost_delay": "0",
    "log_lock_waits": "on",
    "max_connections": "60",
}
FINAL_TABLES = ("a_", "d_", "k_", "h_")  # what stays when a queue is drained; h_ is how far a log was swept


@contextlib.contextmanager
def scratch_cluster() -> Iterator[Cluster]:
    """Run a server with fsync on; removed at the end, however it ended."""
    directory = scratch_directory("pgq-torture-")
    cluster = Cluster(directory / "pg", options=OPTIONS)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop("immediate")
        shutil.rmtree(directory, ignore_errors=True)


def prepare(conninfo: str, schedule: Schedule, override: str = "") -> None:
    """Install the schema, the queue, a table of somebody else, and last what is to be replaced."""
    install_schema(conninfo)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(
            "select pgqueue.create_queue(%s, %s, %s)",
            [QUEUE, schedule.kind, Jsonb(schedule.settings)],
        )
        connection.execute("create table public.unrelated (n bigint)")
        if override:
            connection.execute(
                override.replace("template_queue", QUEUE).replace("template_log", QUEUE).encode()
            )


def has_maintain(conninfo: str) -> bool:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute("select to_regproc('pgqueue.maintain') is not null").fetchone()
    return bool(row and row[0])


def waiting(connection: psycopg.Connection[Any]) -> int:
    """Return how many messages are not settled."""
    row = connection.execute("select count(*) from pgqueue.messages where queue = %s", [QUEUE]).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def final_state(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Read what is left: messages, dead letters, archive, depth, and the sizes of all tables of the queue."""
    queued = connection.execute("select msg_id from pgqueue.messages where queue = %s", [QUEUE]).fetchall()
    dead = connection.execute(
        "select msg_id, reason, read_ct, release_ct, (extract(epoch from died_at) * 1000000)::bigint"
        " from pgqueue.dead_letters where queue = %s",
        [QUEUE],
    ).fetchall()
    archived = connection.execute(f"select msg_id from pgqueue.a_{QUEUE}").fetchall()
    depth = connection.execute("select depth from pgqueue.metrics(%s)", [QUEUE]).fetchone()
    return {
        "queued": [row[0] for row in queued],
        "dead": [list(row) for row in dead],
        "archived": [row[0] for row in archived],
        "depth": depth[0] if depth else None,
        "tables": table_sizes(connection),
    }


def table_sizes(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Count the rows of every table that holds messages under way, by name."""
    names = connection.execute(
        "select c.relname from pg_class c where c.relnamespace = 'pgqueue'::regnamespace"
        " and c.relkind in ('r', 'p') and c.relname ~ %s order by 1",
        [f"^[a-z]+_{QUEUE}$"],
    ).fetchall()
    sizes = {}
    for (name,) in names:
        if not name.startswith(FINAL_TABLES):
            row = connection.execute(f"select count(*) from pgqueue.{name}".encode()).fetchone()
            sizes[name] = row[0] if row else 0
    return sizes
