"""The whole job with everything that happens on the way: what `pgqueue demo` and `make demo` run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from census import QUEUE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from send_all import add_broken_files, parses, send_all, standard_library

from pgqueue import PgQueue

HERE = Path(__file__).parent
LONGEST = 300.0
VT = 5
console = Console(stderr=True, soft_wrap=True)
Connection = psycopg.Connection[tuple[Any, ...]]


def main(dsn: str, limit: int | None = None, psql: str = "psql") -> bool:
    """Run the job on this database, which holds the schema; True when every file is counted or dead, and rightly so."""
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="pgqueue_demo_"))
    files = gather(limit, scratch)
    with PgQueue(dsn) as queue, psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        prepare(queue, connection)
        with progress("sending, in one transaction with our own rows", len(files)) as bar:
            send_all(dsn, files, lambda: bar.advance(bar.task_ids[0]))
        codes = consume(dsn, connection, len(files), scratch / "consumers.log")
        faults = check(connection, codes)
        report(connection, time.monotonic() - started, psql)
    for fault in faults:
        console.print(f"[red]wrong: {fault}")
    return not faults


def gather(limit: int | None, scratch: Path) -> list[Path]:
    """Return the files; some of them don't parse."""
    files = standard_library()
    suspects = [path for path in files if "bad" in path.name or "lib2to3" in path.parts]
    refused = [path for path in suspects if not parses(path)] or add_broken_files(scratch)
    return sorted({*files[:limit], *refused})


def prepare(queue: PgQueue, connection: Connection) -> None:
    """Make the queue and the tables anew, so that the demo can run any number of times."""
    queue.drop_queue(QUEUE, force=True)
    queue.create_queue(QUEUE, settings={"vt": VT, "health_stale": 60})
    connection.execute((HERE / "schema.sql").read_bytes())


def progress(title: str, total: int) -> Progress:
    """Return a bar on stderr with one task."""
    bar = Progress(
        TextColumn("{task.description:48}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    bar.add_task(title, total=total)
    return bar


def consume(dsn: str, connection: Connection, total: int, log: Path) -> list[int]:
    """Run two consumers until nothing waits, kill one of them half-way; return their exit codes."""
    command = [sys.executable, "-m", "pgqueue", "consume", QUEUE, "--app", "census:app", "--concurrency", "4"]
    command += ["--processes", "0"]  # no supervisor: what is killed is the process that holds the messages
    with log.open("wb") as output:
        consumers = [
            subprocess.Popen(command, cwd=HERE, env={**os.environ, "PGQUEUE_DSN": dsn}, stderr=output)
            for _ in range(2)
        ]
        try:
            wait(connection, consumers, total)
            for consumer in consumers:
                consumer.terminate()
            return sorted(consumer.wait(60) for consumer in consumers)
        finally:
            for consumer in consumers:
                consumer.kill()
            console.print(f"[dim]the consumers' log: {log}")


def wait(connection: Connection, consumers: list[subprocess.Popen[bytes]], total: int) -> None:
    """Follow the tables until every file is counted or dead; half-way, kill a consumer."""
    deadline = time.monotonic() + LONGEST
    killed = None
    with progress("two consumers parse", total) as bar:
        while (done := settled(connection)) < total and time.monotonic() < deadline:
            bar.update(bar.task_ids[0], completed=done)
            if killed is None and done >= total // 2 and (killed := busiest(connection, consumers)):
                killed.kill()
                bar.console.print(f"killed consumer {killed.pid} with SIGKILL in the middle of its work")
                rest = f"one consumer is left; the rest is back after {VT} s"
                bar.update(bar.task_ids[0], description=rest)
            if any(consumer.poll() is not None for consumer in consumers if consumer is not killed):
                break
            time.sleep(0.01)
        bar.update(bar.task_ids[0], completed=settled(connection))


def busiest(
    connection: Connection, consumers: list[subprocess.Popen[bytes]]
) -> subprocess.Popen[bytes] | None:
    """Return the consumer that has the most messages in hand; a holder is called host:pid:random."""
    row = connection.execute(
        "select split_part(holder, ':', 2)::integer from pgqueue.messages where queue = %s and state = 'in_flight'"
        " group by holder order by count(*) desc limit 1",
        (QUEUE,),
    ).fetchone()
    return next((consumer for consumer in consumers if row and consumer.pid == row[0]), None)


def settled(connection: Connection) -> int:
    """Count the files that are counted or dead."""
    sql = "select (select count(*) from pgqueue_demo.counted) + (select count(*) from pgqueue.dead_letters where queue = %s)"
    (count,) = connection.execute(sql, (QUEUE,)).fetchone() or (0,)
    return int(count)


def check(connection: Connection, codes: list[int]) -> list[str]:
    """Compare what the tables say with what must be; return what is wrong."""
    faults = []
    if codes != [-signal.SIGKILL, 0]:
        faults.append(f"the consumers' exit codes are {codes}, not [-9, 0]")
    left = connection.execute("select count(*) from pgqueue.messages where queue = %s", (QUEUE,)).fetchone()
    if left != (0,):
        faults.append(f"{left} messages are left")
    twice_or_never = connection.execute(
        "select s.path from pgqueue_demo.source_file s left join pgqueue_demo.counted c using (path)"
        " left join pgqueue.dead_letters d on d.queue = %s and d.msg_id = s.msg_id"
        " where (c.path is null) = (d.msg_id is null)",
        (QUEUE,),
    ).fetchall()
    if twice_or_never:
        faults.append(f"neither counted nor dead, or both: {twice_or_never[:5]}")
    dead = connection.execute(
        "select message -> 'kwargs' ->> 'path' from pgqueue.dead_letters where queue = %s", (QUEUE,)
    ).fetchall()
    faults += [f"{path} is dead, but it parses" for (path,) in dead if parses(Path(path))]
    return faults


def report(connection: Connection, seconds: float, psql: str) -> None:
    """Show the tables' own account, and how to go on."""
    out = Console(soft_wrap=True)
    cursor = connection.execute((HERE / "report.sql").read_bytes())
    table = Table(title=f"the census, from plain SQL, after {seconds:.0f} s")
    for column in cursor.description or ():
        table.add_column(column.name, justify="right")
    table.add_row(*(f"{value or 0:,}" for value in cursor.fetchone() or ()))
    out.print(table)
    dead = Table(title="dead letters: exactly the files that ast refuses")
    for name, width in (("msg_id", 8), ("reason", 14), ("error", 90)):
        dead.add_column(name, overflow="ellipsis", no_wrap=True, min_width=min(width, 40), max_width=width)
    for row in connection.execute(
        "select msg_id, reason, regexp_replace(error, '^.*/', '') from pgqueue.dead_letters where queue = %s order by 1",
        (QUEUE,),
    ):
        dead.add_row(*map(str, row))
    out.print(dead)
    tool = (
        "pgqueue" if shutil.which("pgqueue") else os.path.relpath(Path(sys.executable).with_name("pgqueue"))
    )
    out.print("Go on by hand:", style="bold")
    for line in (
        f"{tool} queues show demo_census",
        f"{tool} dead list demo_census",
        f"{tool} dead redrive demo_census --all --yes && {tool} peek demo_census",
        f"{psql.replace('$(pgqueue ', f'$({tool} ')}     (then: select * from pgqueue.queues;)",
    ):
        out.print(f"  {line}")
