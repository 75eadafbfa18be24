"""Executions over many files: an orchestrator fans them out, a barrier waits for all, its callback completes and bills.

Run it by hand:

    pgqueue queues create demo_jobs && pgqueue queues create demo_files
    pgqueue consume demo_jobs demo_files --app workflow:app
"""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from typing import Any

import psycopg

from pgqueue import App, Bury, Context, Handled, Identity, PgQueue, barrier, claim
from pgqueue.barrier import Options
from pgqueue.claim import Terms

JOBS, FILES = "demo_jobs", "demo_files"
CLAIM = "demo.orchestrate"
LEASE = 1.0  # of the claim: it must outlast `start`, and nobody can start in place of a dead holder before it is over
# What the row of an execution may ask for, see `accident`.
LATE_DEATH, POISON = "orchestrator dies before its ack", "orchestrator dies each time"
CALLBACK_DEATH = "callback dies before its ack"
app = App()


@functools.cache
def client() -> PgQueue:
    return PgQueue(os.environ["PGQUEUE_DSN"])


def database() -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection as any application would; `with` commits and closes it."""
    return psycopg.connect(os.environ["PGQUEUE_DSN"], prepare_threshold=None)


def mark_failed(ctx: Context) -> Handled:
    """Asked instead of the orchestrator when its message is poison: the mark and the burial are one commit."""
    with ctx.tx() as connection:
        connection.execute(
            "update pgqueue_walk.execution set status = 'ERROR' where id = %s::bigint and org = %s and status = 'PENDING'",
            (ctx.identity.key, ctx.identity.scope),
        )
    return Handled()


@app.task(
    "executions.orchestrate",
    queue=JOBS,
    identity=Identity(key="execution_id", scope="org"),
    on_poison=mark_failed,
)
def orchestrate(ctx: Context, execution_id: int, org: str) -> None:
    """Start an execution once, however many messages ask for it.

    While another run has the claim, or died with it, `once` raises ClaimHeld: the message comes back when its lease is over.
    """
    answer = claim.once(
        client(),
        CLAIM,
        str(execution_id),
        lambda: start(execution_id, org),
        finished=lambda: status_of(execution_id) != "PENDING",
        terms=Terms(lease=LEASE, holder=f"message {ctx.message.msg_id}"),
    )
    note(ctx, execution_id, "orchestrate", answer)
    accident(execution_id, LATE_DEATH, first=ctx.attempt == 1)


def start(execution_id: int, org: str) -> str:
    """Fan out: the status, the messages of all parts and the barrier are one commit."""
    with database() as connection:
        moved = connection.execute(
            "update pgqueue_walk.execution set status = 'EXECUTING' where id = %s and org = %s and status = 'PENDING'",
            (execution_id, org),
        )
        if not moved.rowcount:
            return "nothing to start"  # a holder that lost the claim while it slept comes late
        files = connection.execute(
            "select path from pgqueue_walk.file where execution_id = %s order by path", (execution_id,)
        ).fetchall()
        barrier.arm(
            connection,
            f"execution-{execution_id}",
            [count_lines.call(execution_id=execution_id, path=path) for (path,) in files],
            finish.call(execution_id=execution_id),
            Options(on_failure=give_up.call(execution_id=execution_id)),
        )
        accident(execution_id, POISON)
    return "started"


@app.task("files.count_lines", queue=FILES)
def count_lines(ctx: Context, execution_id: int, path: str) -> None:
    """Handle one file: its row, the ack and the arrival at the barrier are one commit."""
    try:
        lines = len(Path(path).read_bytes().splitlines())
    except FileNotFoundError as error:
        raise Bury("no such file", str(error)) from error
    with ctx.tx() as connection:
        connection.execute(
            "update pgqueue_walk.file set handled = handled + 1 where execution_id = %s and path = %s",
            (execution_id, path),
        )
        ctx.arrive_with({"lines": lines})


@app.task("executions.finish", queue=JOBS)
def finish(ctx: Context, execution_id: int) -> None:
    """Complete, bill and notify when all files are done: each once, also when this is run again."""
    by = ctx.from_barrier
    if by is None:
        raise Bury("not sent by a barrier")
    note(ctx, execution_id, "finish", "begun")
    with ctx.once("complete") as connection:
        if connection:
            lines = sum(one.result["lines"] for one in barrier.results(connection, by.barrier, by.generation))
            connection.execute(
                "update pgqueue_walk.execution set status = 'COMPLETED', lines = %s where id = %s",
                (lines, execution_id),
            )
    with ctx.once("bill") as connection:
        if connection:
            connection.execute(
                "update pgqueue_walk.execution set billed = billed + 1 where id = %s", (execution_id,)
            )
    with ctx.once("notify") as connection:
        if connection:
            connection.execute(
                "update pgqueue_walk.execution set notified = notified + 1 where id = %s", (execution_id,)
            )
    accident(execution_id, CALLBACK_DEATH, first=ctx.attempt == 1)


@app.task("executions.give_up", queue=JOBS)
def give_up(ctx: Context, execution_id: int) -> None:
    """Sent by the barrier instead of the callback when a file can't be handled."""
    with ctx.tx() as connection:
        connection.execute(
            "update pgqueue_walk.execution set status = 'ERROR' where id = %s", (execution_id,)
        )


def status_of(execution_id: int) -> str:
    with database() as connection:
        row = connection.execute(
            "select status from pgqueue_walk.execution where id = %s", (execution_id,)
        ).fetchone()
    return "gone" if row is None else str(row[0])


def note(ctx: Context, execution_id: int, task: str, answer: object) -> None:
    """Keep what a run came to, for the report."""
    with database() as connection:
        connection.execute(
            "insert into pgqueue_walk.run (execution_id, task, answer, msg_id, attempt) values (%s, %s, %s, %s, %s)",
            (execution_id, task, str(answer), ctx.message.msg_id, ctx.attempt),
        )


def accident(execution_id: int, kind: str, *, first: bool = True) -> None:
    """Kill this process, as a machine that is switched off would, where the row of the execution asks for it."""
    with database() as connection:
        asked = connection.execute(
            "select 1 from pgqueue_walk.execution where id = %s and accident = %s", (execution_id, kind)
        ).fetchone()
    if asked and first:
        os.kill(os.getpid(), signal.SIGKILL)
