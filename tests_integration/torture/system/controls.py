"""Negative controls: the system is broken on purpose, and a run that finds no loss is a bad run."""

from __future__ import annotations

import os
from typing import Any

import psycopg

PLANT = "PGQUEUE_TORTURE_PLANT"


def options(control: str) -> dict[str, str]:
    """Return the server's settings that belong to a control: `relaxed` leaves the log in memory for long."""
    return {"wal_writer_delay": "10s", "wal_writer_flush_after": "256MB"} if control == "relaxed" else {}


def plant(connection: psycopg.Connection[Any], control: str, queues: list[str]) -> None:
    """Break the server.

    relaxed: commits don't wait for the disk, by a setting of the role that no statement shows.
    volatile: the tables are unlogged, so a crash empties them.
    """
    if control == "relaxed":
        connection.execute("alter role pgqueue set synchronous_commit = off")
    if control == "volatile":
        for queue in queues:
            rows = connection.execute(
                "select relname from pg_class where relnamespace = 'pgqueue'::regnamespace"
                " and relkind = 'r' and relname ~ %s",
                [f"^[lmr]_{queue}$"],
            ).fetchall()
            for (table,) in rows:
                connection.execute(f"alter table pgqueue.{table} set unlogged".encode())


def environment(control: str) -> dict[str, str]:
    """Return what breaks the consumers."""
    if control != "early_ack":
        return {}
    return {PLANT: f"{__name__}:acknowledge_before_the_handler"}


def call_plant() -> None:
    """Call the function that the environment names, if any: a mutant, or a control of ours."""
    named = os.environ.get(PLANT, "")
    if named:
        import importlib  # noqa: PLC0415 - only where something is planted

        module, _, function = named.partition(":")
        getattr(importlib.import_module(module), function)()


def acknowledge_before_the_handler() -> None:
    """Let the consumer ack what it reads at once: what its death interrupts is lost."""
    from pgqueue.client.aio import AsyncPgQueue  # noqa: PLC0415 - only in a broken consumer
    from pgqueue.message import calls  # noqa: PLC0415
    from pgqueue.message.model import Message  # noqa: PLC0415

    run = AsyncPgQueue.run

    async def run_and_ack(self: AsyncPgQueue, call: Any) -> Any:
        answer = await run(self, call)
        if isinstance(answer, list) and answer and isinstance(answer[0], Message):
            ids, receipts = [m.msg_id for m in answer], [m.receipt for m in answer]
            await run(self, calls.delete_batch(call.queue, ids, receipts))
        return answer

    AsyncPgQueue.run = run_and_ack  # type: ignore[method-assign]
