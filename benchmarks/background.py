"""What runs beside a load: a statement every so often, or a session that stands in the way."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.pq import TransactionStatus

from benchmarks.server import Server

BALLAST_ROWS = 400_000
DUMP_BYTES_A_SECOND = 64 * 1024
CHUNK = 16 * 1024


@contextmanager
def every(server: Server, statements: Sequence[tuple[str, float]]) -> Iterator[None]:
    """Run each statement in a session of its own, again and again with its pause in seconds between.

    Raises SystemExit at the end when one of them failed: a sweep that doesn't run would flatter the figures.
    """
    stop, troubles = threading.Event(), list[str]()
    threads = [
        threading.Thread(target=_repeat, args=(server, sql, pause, stop, troubles), daemon=True)
        for sql, pause in statements
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if troubles:
        raise SystemExit(f"a statement beside the load failed: {troubles[0]}")


def _repeat(server: Server, sql: str, pause: float, stop: threading.Event, troubles: list[str]) -> None:
    try:
        with psycopg.connect(server.conninfo, autocommit=True, application_name="beside") as connection:
            while not stop.is_set():
                connection.execute(sql.encode())
                stop.wait(pause)
    except psycopg.Error as error:
        troubles.append(f"{sql}: {error}")


@contextmanager
def held_snapshot(server: Server) -> Iterator[None]:
    """An unrelated session in REPEATABLE READ that has run one query."""
    with psycopg.connect(server.conninfo, application_name="held") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select count(*) from pg_class")
        yield
        _still_open(connection, "the held snapshot")
        connection.rollback()


@contextmanager
def long_writer(server: Server) -> Iterator[None]:
    """An unrelated transaction that has written and stays open."""
    with psycopg.connect(server.conninfo, application_name="held") as connection:
        connection.execute("create schema bench_writer create table written (id bigint)")
        connection.execute("insert into bench_writer.written values (1)")
        yield
        _still_open(connection, "the long writer")
        connection.rollback()


def _still_open(connection: psycopg.Connection[tuple[object, ...]], what: str) -> None:
    try:
        connection.execute("select 1")
    except psycopg.Error as error:
        raise SystemExit(f"{what} did not last to the end: the run is void ({error})") from error
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise SystemExit(f"{what} did not last to the end: the run is void")


@contextmanager
def slow_dump(server: Server, bin_dir: Path) -> Iterator[None]:
    """A pg_dump of the database whose reader is slow; fill_ballast() comes first, to keep it busy."""
    argv = [str(bin_dir / "pg_dump"), "--dbname", server.conninfo, "--no-password"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stop = threading.Event()
    reader = threading.Thread(target=_sip, args=(process, stop), daemon=True)
    reader.start()
    try:
        _wait_for_dump(server, process)
        yield
        if process.poll() is not None:
            raise SystemExit("pg_dump ended before the load did: the run is void; give it more ballast")
    finally:
        stop.set()
        process.terminate()
        process.communicate()
        reader.join()


def fill_ballast(server: Server) -> None:
    """Make a table that a dump has to read for long."""
    with server.connect() as connection:
        connection.execute("create schema bench_ballast create table stuff (id bigint, filler text)")
        connection.execute(
            "insert into bench_ballast.stuff select i, repeat(md5(i::text), 8) from generate_series(1, %s) i",
            [BALLAST_ROWS],
        )


def _sip(process: subprocess.Popen[bytes], stop: threading.Event) -> None:
    assert process.stdout is not None
    while not stop.is_set() and process.stdout.read(CHUNK):
        stop.wait(CHUNK / DUMP_BYTES_A_SECOND)


def _wait_for_dump(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Return when the dump copies the ballast: its snapshot is taken and its locks are held."""
    copying = (
        "select exists (select from pg_stat_activity where application_name = 'pg_dump' "
        "and query like 'COPY bench_ballast%')"
    )
    deadline = time.monotonic() + 30
    with server.connect() as connection:
        while connection.execute(copying.encode()).fetchone() != (True,):
            if process.poll() is not None or time.monotonic() > deadline:
                assert process.stderr is not None
                process.kill()
                raise SystemExit(f"pg_dump doesn't run: {process.stderr.read().decode()[-500:]}")
            time.sleep(0.05)
