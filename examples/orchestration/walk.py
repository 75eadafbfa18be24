"""The walk: six executions, each with another accident, on real consumers; then the count of what took place."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.table import Table
from workflow import CALLBACK_DEATH, CLAIM, FILES, JOBS, LATE_DEATH, POISON

from pgqueue import PgQueue

HERE = Path(__file__).parent
ORG = "acme"
PARTS = 8
MAX_READS = 2
LONGEST = 120.0
BACKOFF = {"base": 0.1, "factor": 1, "cap": 0.1, "jitter": 0}
MISSING_FILE = "a file is missing"
SEND, REDRIVE = "send", "redrive"
console = Console(stderr=True, soft_wrap=True)
Connection = psycopg.Connection[tuple[Any, ...]]


class Account(NamedTuple):
    """One row of report.sql without its id."""

    status: str
    handled_once: int
    handled_again: int
    lines: int | None
    billed: int
    notified: int
    orchestrator: str
    callback_runs: int
    barrier: str
    claim: str


@dataclass(frozen=True)
class Story:
    """One execution. `accident` stands in its row, where the handlers read it; `again` is what is done once it is over."""

    title: str
    accident: str = ""
    again: str = ""
    orchestrator: str = "started"
    callback_runs: int = 1

    def expected(self, lines: int) -> Account:
        """What must be in the tables; no story changes how often anything takes effect."""
        if self.accident == POISON:
            return Account("ERROR", 0, 0, None, 0, 0, self.orchestrator, 0, "none", "done")
        if self.accident == MISSING_FILE:
            return Account("ERROR", PARTS - 1, 0, None, 0, 0, self.orchestrator, 0, "failed", "done")
        return Account(
            "COMPLETED", PARTS, 0, lines, 1, 1, self.orchestrator, self.callback_runs, "done", "done"
        )


STORIES = (
    Story("all goes well"),
    Story("asked for twice", again=SEND, orchestrator="started, skipped_duplicate"),
    Story("killed before its ack", LATE_DEATH, orchestrator="started, skipped_duplicate"),
    Story("kills its process: poison; redriven", POISON, REDRIVE, "skipped_terminal"),
    Story("callback killed before its ack", CALLBACK_DEATH, callback_runs=2),
    Story("a file is missing", MISSING_FILE),
)


def main(dsn: str, *, brief: bool = False) -> bool:
    """Walk on this database, which holds the schema; True when every effect took place as often as it must."""
    started = time.monotonic()
    files = some_files()
    with PgQueue(dsn) as queue, psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        first = prepare(queue, connection)
        walk = Walk(dsn, queue, connection, files, started + LONGEST)
        with consumers(dsn) as log:
            for number, story in enumerate(STORIES, first):
                console.print(f"execution {number}: {story.title}")
                walk.tell(number, story)
        faults = check(connection, first, sum(map(lines_of, files)))
        deaths = log.read_text().count('"worker.died"')
        if brief:
            summary(connection, deaths, time.monotonic() - started)
        else:
            report(connection, first, deaths, time.monotonic() - started)
    for fault in faults:
        console.print(f"[red]wrong: {fault}")
    return not faults


def prepare(queue: PgQueue, connection: Connection) -> int:
    """Make queues and tables anew; return the number of the first execution.

    It goes on above the walks before, whose tombstones still stand.
    """
    for name in (JOBS, FILES):
        queue.drop_queue(name, force=True)
        queue.create_queue(
            name, settings={"vt": 5, "health_stale": 30, "max_reads": MAX_READS, "backoff": BACKOFF}
        )
    connection.execute((HERE / "schema.sql").read_bytes())
    row = connection.execute(
        "select coalesce(max(key::bigint), 0) + 1 from pgqueue.claims where name = %s", (CLAIM,)
    ).fetchone()
    return int(row[0]) if row else 1


def some_files() -> list[Path]:
    """Return eight real files: modules of the standard library."""
    return sorted((Path(sysconfig.get_path("stdlib")) / "email").glob("*.py"))[:PARTS]


def lines_of(path: Path) -> int:
    return len(path.read_bytes().splitlines())


@contextmanager
def consumers(dsn: str) -> Iterator[Path]:
    """Run `pgqueue consume` with two worker processes under a supervisor; give the path of its log."""
    log = Path(tempfile.mkdtemp(prefix="pgqueue_walk_")) / "consumers.log"
    command = [sys.executable, "-m", "pgqueue", "consume", JOBS, FILES, "--app", "workflow:app"]
    command += ["--processes", "2", "--concurrency", "4", "--poll-max", "0.2", "--log-format", "json"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=HERE, env={**os.environ, "PGQUEUE_DSN": dsn}, stderr=output)
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()
                console.print(f"[dim]the consumers' log: {log}")


@dataclass(frozen=True)
class Walk:
    """One walk on one database. After `deadline` (monotonic) nothing is waited for: the check says what is missing."""

    dsn: str
    queue: PgQueue
    connection: Connection
    files: list[Path]
    deadline: float

    def tell(self, number: int, story: Story) -> None:
        """Ask for one execution, wait until nothing of it is left to do, and ask again where the story says so."""
        self.ask(number, story)
        self.wait(number)
        if story.again == SEND:
            send(self.connection, number)
        elif story.again == REDRIVE:
            self.queue.redrive(JOBS)
        if story.again:
            self.wait(number)

    def ask(self, number: int, story: Story) -> None:
        """Write the execution, its files and the message in one transaction, as the application would."""
        paths = [str(path) for path in self.files]
        if story.accident == MISSING_FILE:
            paths[3] += ".missing"
        with psycopg.connect(self.dsn, prepare_threshold=None) as connection:
            connection.execute(
                "insert into pgqueue_walk.execution (id, org, accident) values (%s, %s, %s)",
                (number, ORG, story.accident),
            )
            connection.execute(
                "insert into pgqueue_walk.file (execution_id, path) select %s, unnest(%s::text[])",
                (number, paths),
            )
            send(connection, number)

    def wait(self, number: int) -> None:
        """Return when the execution has ended and no message of the walk waits or runs."""
        over = (
            "select not exists (select from pgqueue.messages where queue in (%s, %s)) and status in ('COMPLETED', 'ERROR')"
            " from pgqueue_walk.execution where id = %s"
        )
        while time.monotonic() < self.deadline:
            if self.connection.execute(over, (JOBS, FILES, number)).fetchone() == (True,):
                return
            time.sleep(0.02)


def send(connection: Connection, number: int) -> None:
    """Send as a foreign client does, which knows neither our library nor the handler's names: by position."""
    message = {"task": "executions.orchestrate", "args": [number, ORG]}
    connection.execute("select pgqueue.send(%s, %s)", (JOBS, Jsonb(message)))


def check(connection: Connection, first: int, lines: int) -> list[str]:
    """Compare what the tables say with what must be; return what is wrong."""
    faults = []
    found = {row[0]: Account(*row[1:]) for row in accounts(connection)}
    for number, story in enumerate(STORIES, first):
        wanted = story.expected(lines)
        seen = found.get(number)
        if seen is None:
            faults.append(f"execution {number} ({story.title}) is missing")
            continue
        pairs = zip(Account._fields, seen, wanted, strict=True)
        faults += [
            f"execution {number} ({story.title}): {name} is {is_!r}, not {must!r}"
            for name, is_, must in pairs
            if is_ != must
        ]
    dead = connection.execute(
        "select queue, reason, read_ct - release_ct from pgqueue.dead_letters where queue in (%s, %s) order by 1",
        (JOBS, FILES),
    ).fetchall()
    must_be = sorted([(FILES, "no such file", 1), (JOBS, "handled", MAX_READS + 1)])
    if dead != must_be:
        faults.append(f"the dead letters are {dead}, not {must_be}")
    left = connection.execute(
        "select count(*) from pgqueue.messages where queue in (%s, %s)", (JOBS, FILES)
    ).fetchone()
    if left != (0,):
        faults.append(f"{left} messages are left")
    return faults


def accounts(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute((HERE / "report.sql").read_bytes()).fetchall()


def summary(connection: Connection, deaths: int, seconds: float) -> None:
    """Say it in one line."""
    rows = [Account(*row[1:]) for row in accounts(connection)]
    billed, notified = sum(row.billed for row in rows), sum(row.notified for row in rows)
    completed = sum(row.status == "COMPLETED" for row in rows)
    Console(soft_wrap=True).print(
        f"the orchestration walk: {len(rows)} executions, {deaths} worker processes killed; {completed} completed, "
        f"{billed} billed, {notified} notified, {len(rows) - completed} marked failed, in {seconds:.0f} s "
        "(pgqueue demo orchestration shows it)"
    )


def report(connection: Connection, first: int, deaths: int, seconds: float) -> None:
    """Show the tables' own account."""
    out = Console(soft_wrap=True, width=None if Console().is_terminal else 200)
    table = Table(
        title=f"the walk, from plain SQL, after {seconds:.0f} s and {deaths} killed worker processes"
    )
    headings = ("execution", "what happens", "status", "files", "twice", "lines", "billed", "notified")
    for heading in (*headings, "orchestrator's answers", "callback runs", "barrier", "claim"):
        table.add_column(heading)
    for number, *row in accounts(connection):
        shown = ["-" if value is None else f"{value:,}" if isinstance(value, int) else value for value in row]
        table.add_row(str(number), STORIES[number - first].title, *shown)
    out.print(table)
    out.print("Go on by hand:", style="bold")
    for line in (
        f"barriers show execution-{first}",
        f"barriers results execution-{first}",
        "claims list --name demo.orchestrate",
        "dead list demo_jobs",
    ):
        out.print(f"  pgqueue {line}")
