"""What is left in the database after a run, and the manifest that closes a run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg

from tests_integration.torture.system import witness
from tests_integration.torture.system.recorder import micros, payload_hash, uid_of, write_lines

MESSAGES = "select queue, msg_id, state, read_ct, release_ct, message from pgqueue.messages where queue = any(%s) order by 1, 2"
DEAD = (
    "select queue, msg_id, reason, error, read_ct, release_ct, died_at, message, redriven_as"
    " from pgqueue.dead_letters where queue = any(%s) order by 1, 2"
)
EFFECTS = "select seq, uid, queue, msg_id, receipt, at from torture.effects order by seq"
AUDIT = (
    "select seq, queue, verb, msg_id, receipt, at, until, read_ct, release_ct from torture.audit order by seq"
)


def left(connection: psycopg.Connection[Any], queues: list[str]) -> int:
    """Return how many messages are neither done nor dead."""
    row = connection.execute(
        "select count(*) from pgqueue.messages where queue = any(%s)", [queues]
    ).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def write_witnesses(connection: psycopg.Connection[Any], folder: Path, queues: list[str]) -> None:
    """Write what the server says, for the checker."""
    write_lines(
        folder / "final-messages.jsonl",
        [
            {"queue": queue, "msg_id": msg_id, "state": state, "read_ct": reads, "release_ct": releases}
            | _named(message)
            for queue, msg_id, state, reads, releases, message in connection.execute(MESSAGES, [queues])
        ],
    )
    write_lines(folder / "final-dead.jsonl", _dead(connection, queues))
    write_lines(
        folder / "final-archive.jsonl", [row for queue in queues for row in _archived(connection, queue)]
    )
    names: tuple[str, ...] = ("seq", "uid", "queue", "msg_id", "receipt", "db_at")
    write_lines(
        folder / "effects.jsonl",
        [dict(zip(names, (*row[:5], micros(row[5])), strict=True)) for row in connection.execute(EFFECTS)],
    )
    names = ("seq", "queue", "verb", "msg_id", "receipt", "db_at", "db_until", "read_ct", "release_ct")
    write_lines(
        folder / "audit.jsonl",
        [
            dict(zip(names, (*row[:5], micros(row[5]), micros(row[6]), *row[7:]), strict=True))
            for row in connection.execute(AUDIT)
        ],
    )
    witness.write(connection, folder)


def write_manifest(folder: Path) -> None:
    """Say how long every file of evidence is: the last act of a run."""
    files = {}
    for path in sorted(folder.glob("*.jsonl")):
        data = path.read_bytes()
        files[path.name] = {"bytes": len(data), "lines": data.count(b"\n")}
    (folder / "manifest.json").write_text(json.dumps({"files": files}, indent=1) + "\n")


def _dead(connection: psycopg.Connection[Any], queues: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "queue": queue,
            "msg_id": msg_id,
            "reason": reason,
            "error": error,
            "read_ct": reads,
            "release_ct": releases,
            "db_died": micros(died),
            "redriven_as": redriven,
        }
        | _named(message)
        for queue, msg_id, reason, error, reads, releases, died, message, redriven in connection.execute(
            DEAD, [queues]
        )
    ]


def _archived(connection: psycopg.Connection[Any], queue: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"select msg_id, outcome, archived_at, read_ct, release_ct, message from pgqueue.a_{queue} order by 1".encode()
    )
    return [
        {
            "queue": queue,
            "msg_id": msg_id,
            "outcome": outcome,
            "db_archived": micros(archived),
            "read_ct": reads,
            "release_ct": releases,
        }
        | _named(message)
        for msg_id, outcome, archived, reads, releases, message in rows
    ]


def _named(message: Any) -> dict[str, Any]:
    return {"uid": uid_of(message), "hash": payload_hash(message)}
