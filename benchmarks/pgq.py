"""PgQ of Debian's package, on Debian's Postgres 15: ticker, rotation, producers and a consumer."""

from __future__ import annotations

from pathlib import Path

from benchmarks.server import Connection, scalar

SQL = Path(__file__).parent / "sql" / "pgq"
BIN_DIR = Path("/usr/lib/postgresql/15/bin")
EXTENSION = Path("/usr/share/postgresql/15/extension/pgq.control")
TICK_SECONDS = 0.05
MAINTENANCE_SECONDS = 2.0
ROTATION = "30 seconds"
BESIDE = [
    ("select pgq.ticker()", TICK_SECONDS),
    ("select pgq.maint_rotate_tables_step1('bench')", MAINTENANCE_SECONDS),
    ("select pgq.maint_rotate_tables_step2()", MAINTENANCE_SECONDS),
]


def missing() -> str:
    """Return why PgQ can't run here, with the cure; an empty string when it can."""
    if not (BIN_DIR / "postgres").is_file() or not EXTENSION.is_file():
        return "PgQ is not installed. On Debian 12, as root: apt-get install postgresql-15 postgresql-15-pgq3"
    return ""


def install(connection: Connection) -> None:
    connection.execute("create extension pgq")
    connection.execute("select pgq.create_queue('bench')")
    # One tick for each call of the ticker, however little has come.
    for name, value in (
        ("ticker_max_count", "1"),
        ("ticker_max_lag", "10 milliseconds"),
        ("rotation_period", ROTATION),
    ):
        connection.execute("select pgq.set_queue_config('bench', %s, %s)", [name, value])
    connection.execute("select pgq.register_consumer('bench', 'reader')")
    connection.execute("create schema bench_pgq create table consumed (events bigint)")


def consumed(connection: Connection) -> int:
    """How many events the consumer has had, in batches that it finished."""
    return int(scalar(connection, "select coalesce(sum(events), 0)::bigint from bench_pgq.consumed"))


def sizes(connection: Connection) -> tuple[int, int]:
    """Bytes of the heaps and of the indexes of the queue's three tables."""
    row = connection.execute(
        "select sum(pg_table_size(inhrelid)), sum(pg_indexes_size(inhrelid)) from pg_inherits "
        "join pg_class on oid = inhparent where relname like 'event_%' and relnamespace = 'pgq'::regnamespace"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
