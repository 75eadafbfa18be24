"""The systems that are compared on the engine's level: how each is installed, filled, emptied and counted."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psycopg

import pgqueue
from benchmarks.server import Connection, scalar
from pgqueue.db.script import open_script
from pgqueue.migrate import apply

SQL = Path(__file__).parent / "sql"
PRELOAD_BATCH = 1000
SWEEP_SECONDS = 0.2

# 203 bytes, the size of a small job.
PAYLOAD = (
    '{"task": "orders.charge", "kwargs": {"org": "acme", "order_id": 1234567, "currency": "EUR", '
    '"amount": 4999, "note": "' + "x" * 54 + '"}, "trace": "0af7651916cd43dd"}'
)


@dataclass(frozen=True, slots=True)
class System:
    """One competitor.

    `folder` holds its statements, `schema` is its search_path, `counted` the relation that holds one row for
    each message, `empty` what empties it and `tables` matches the names of its tables in `home`. `sweep` has to run
    beside its readers. `full_reads` says that a read of n among more than n visible messages gets n.
    """

    name: str
    title: str
    folder: str
    counted: str
    empty: str
    home: str
    tables: str
    queue: str = "bench"
    schema: str = "pg_catalog"
    sweep: str | None = None
    full_reads: bool = True

    def twin(self, name: str) -> System:
        """The same system on a second queue; for those whose queue has a name."""
        queue = self.queue.replace("bench", name)
        texts = {field: getattr(self, field) for field in ("counted", "empty", "tables", "sweep")}
        moved = {field: text and text.replace(self.queue, queue) for field, text in texts.items()}
        return replace(self, queue=queue, **moved)

    def statement(self, name: str) -> str:
        text = (SQL / self.folder / f"{name}.sql").read_text()
        return text.replace("{queue}", self.queue).replace("{schema}", self.schema)

    def depth(self, connection: Connection) -> int:
        return int(scalar(connection, f"select count(*) from {self.counted}"))

    def table_names(self, connection: Connection) -> list[str]:
        rows = connection.execute(
            "select format('%%I.%%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = %s and c.relname ~ %s and c.relkind = 'r' order by 1",
            [self.home, self.tables],
        )
        return [str(row[0]) for row in rows]

    def clear(self, connection: Connection) -> None:
        connection.execute(self.empty.encode())

    def fill(self, connection: Connection, count: int, payload: str = PAYLOAD) -> None:
        """Put exactly `count` ready messages in."""
        for batch in (PRELOAD_BATCH, count % PRELOAD_BATCH):
            times = count // PRELOAD_BATCH if batch == PRELOAD_BATCH else 1
            if batch and times:
                literal = "'" + payload.replace("'", "''") + "'"
                filled = self.statement("preload").replace("{payload}", literal)
                connection.execute(
                    filled.replace("{batches}", str(times)).replace("{batch}", str(batch)).encode()
                )

    def refill(self, connection: Connection, count: int) -> None:
        """Empty the queue and put `count` ready messages into it.

        The checkpoint comes before the messages, so that the measured part writes few full-page images.
        """
        self.clear(connection)
        connection.execute("checkpoint")
        self.fill(connection, count)
        self.vacuum(connection)

    def vacuum(self, connection: Connection) -> None:
        for table in self.table_names(connection):
            connection.execute(f"vacuum (analyze) {table}".encode())

    def sizes(self, connection: Connection) -> tuple[int, int]:
        """Bytes of the heaps and of the indexes of all its tables."""
        heap = index = 0
        for table in self.table_names(connection):
            heap += int(scalar(connection, "select pg_table_size(%s::regclass)", [table]))
            index += int(scalar(connection, "select pg_indexes_size(%s::regclass)", [table]))
        return heap, index


def _ours(kind: str, folder: str, name: str, title: str) -> System:
    queue = f"bench_{kind}"
    return System(
        name,
        title,
        folder,
        counted=f"pgqueue.q_{queue}",
        empty=f"select pgqueue.purge_queue('{queue}')",
        home="pgqueue",
        tables=f"^[a-z]_{queue}$",
        queue=queue,
        sweep=f"select pgqueue.maintain('{queue}')" if kind == "log" else None,
        full_reads=kind == "row",
    )


def _plain(name: str, title: str, folder: str) -> System:
    schema = f"bench_{name}"
    table = f"{schema}.messages"
    return System(name, title, folder, table, f"truncate {table}", schema, "^messages$", schema=schema)


LOG = _ours("log", "pgqueue", "log", "pgqueue, kind log, by the queue's own functions")
ROW = _ours("row", "pgqueue", "row", "pgqueue, kind row, by the queue's own functions")
LOG_BY_NAME = _ours("log", "dispatch", "log_by_name", "pgqueue, kind log, by queue name")
ROW_BY_NAME = _ours("row", "dispatch", "row_by_name", "pgqueue, kind row, by queue name")
PGMQ = System(
    "pgmq",
    "pgmq, its SQL as shipped",
    "pgmq",
    counted="pgmq.q_bench",
    empty="truncate pgmq.q_bench",
    home="pgmq",
    tables="^q_bench$",
)
FLOOR = _plain("floor", "bare table: INSERT, and DELETE in one transaction", "floor")
INLINE_VT = _plain("inline_vt", "pgmq's table, inline statements", "inline")
INLINE_HOT = _plain("inline_hot", "the same without its vt index, fillfactor 60", "inline")
SYSTEMS = (LOG, ROW, LOG_BY_NAME, ROW_BY_NAME, PGMQ, FLOOR, INLINE_VT, INLINE_HOT)


def install(conninfo: str, connection: Connection, systems: Sequence[System]) -> None:
    """Install the systems into an empty database."""
    homes = {system.home for system in systems}
    if "pgqueue" in homes:
        apply.migrate(partial(open_script, conninfo), package_version=pgqueue.__version__)
        for queue in dict.fromkeys(system.queue for system in systems if system.home == "pgqueue"):
            _create(connection, queue, queue.rpartition("_")[2])
    if "pgmq" in homes:
        connection.execute((_pgmq() / "pgmq.sql").read_bytes())
        for queue in dict.fromkeys(system.queue for system in systems if system.home == "pgmq"):
            connection.execute("select pgmq.create(%s)", [queue])
    for folder in dict.fromkeys(system.folder for system in systems if system.folder in {"floor", "inline"}):
        connection.execute((SQL / folder / "setup.sql").read_bytes())


def _create(connection: Connection, queue: str, kind: str) -> None:
    try:
        connection.execute("select pgqueue.create_queue(%s, %s)", [queue, kind])
    except psycopg.Error as error:
        raise SystemExit(
            f"no queue of kind {kind}: {error}. Leave it out: --systems without {kind}"
        ) from error


def pgmq_version() -> str:
    return (_pgmq() / "VERSION").read_text().strip()


def _pgmq() -> Path:
    spec = importlib.util.find_spec("pgmq")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            "the package pgmq, which ships the SQL to compare with, is missing: pip install '.[bench]'"
        )
    return Path(spec.submodule_search_locations[0]) / "sql"
