"""The systems that are compared: how each is installed, filled and emptied."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

import pgqueue
from pgqueue.db.script import open_script
from pgqueue.migrate import apply

SQL = Path(__file__).parent / "sql"
QUEUE = "bench"
PRELOAD_BATCH = 1000

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class System:
    """One competitor. `folder` holds its scripts, `stock` its preload; `schema` is its search_path."""

    name: str
    title: str
    folder: str
    stock: str
    table: str
    schema: str = "pg_catalog"

    def script(self, name: str) -> Path:
        return SQL / self.folder / f"{name}.sql"

    def depth(self, connection: Connection) -> int:
        row = connection.execute(f"select count(*) from {self.table}").fetchone()
        assert row is not None
        return int(row[0])

    def refill(self, connection: Connection, payload: str, count: int) -> None:
        """Empty the queue and put at least `count` ready messages into it.

        The checkpoint comes before the messages, so that the measured part writes no full-page images.
        """
        connection.execute(f"truncate {self.table}")
        connection.execute("checkpoint")
        if count > 0:
            batches = -(-count // PRELOAD_BATCH)
            sql = (SQL / self.stock / "preload.sql").read_text()
            literal = "'" + payload.replace("'", "''") + "'"
            filled = sql.format(batches=batches, batch=PRELOAD_BATCH, payload=literal, schema=self.schema)
            connection.execute(filled.encode())
        connection.execute(f"vacuum (analyze) {self.table}")


OURS = System(
    "pgqueue", "pgqueue, kind row, the queue's own functions", "pgqueue", "pgqueue", "pgqueue.r_bench"
)
DISPATCH = System("dispatch", "pgqueue, kind row, by queue name", "dispatch", "pgqueue", "pgqueue.r_bench")
PGMQ = System("pgmq", "pgmq, its SQL as shipped", "pgmq", "pgmq", "pgmq.q_bench")
FLOOR = System(
    "floor",
    "bare table: INSERT; DELETE in one transaction",
    "floor",
    "floor",
    "bench_floor.messages",
    "bench_floor",
)
INLINE_VT = System(
    "inline_vt",
    "pgmq's table, inline statements",
    "inline",
    "inline",
    "bench_inline_vt.messages",
    "bench_inline_vt",
)
INLINE_HOT = System(
    "inline_hot",
    "the same without its vt index, fillfactor 60",
    "inline",
    "inline",
    "bench_inline_hot.messages",
    "bench_inline_hot",
)
SYSTEMS = (OURS, DISPATCH, PGMQ, FLOOR, INLINE_VT, INLINE_HOT)


def install(conninfo: str, connection: Connection) -> None:
    """Install all systems into an empty database."""
    apply.migrate(partial(open_script, conninfo), package_version=pgqueue.__version__)
    connection.execute("select pgqueue.create_queue(%s)", [QUEUE])
    connection.execute((_pgmq() / "pgmq.sql").read_bytes())
    connection.execute("select pgmq.create(%s)", [QUEUE])
    for folder in ("floor", "inline"):
        connection.execute((SQL / folder / "setup.sql").read_bytes())


def pgmq_version() -> str:
    return (_pgmq() / "VERSION").read_text().strip()


def _pgmq() -> Path:
    spec = importlib.util.find_spec("pgmq")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            "the package pgmq, which ships the SQL to compare with, is missing: pip install '.[bench]'"
        )
    return Path(spec.submodule_search_locations[0]) / "sql"
