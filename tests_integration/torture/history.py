"""The history of a run: one file a process, one JSON object a line, one write a line.

Every operation writes `invoke` before it goes to the server, and `ok`, `fail` (it did not happen) or `info`
(nobody knows) after. A killed process leaves an invoke without an end. No fsync: the page cache outlives SIGKILL.

Fields of every line: t (CLOCK_MONOTONIC, ns, one clock for all processes of the machine), p (process and its
incarnation), n (number of the operation in that process), k (kind), op. Fields of an invoke: tx (number of the
explicit transaction, null in autocommit), async (commits asynchronously). Times of the database are
microseconds since 1970. See `checker.model` for what each operation adds.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class Recorder:
    """The history file of one process."""

    def __init__(self, folder: Path, process: str) -> None:
        self._process = process
        self._number = 0
        self._transactions = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(folder / f"history-{process}.jsonl", flags, 0o644)

    def next_transaction(self) -> int:
        """Return a number for an explicit transaction: one of this process, not of its connection."""
        self._transactions += 1
        return self._transactions

    def invoke(self, op: str, **fields: object) -> int:
        """Note that an operation is about to go out; return its number."""
        self._number += 1
        self._write(self._number, "invoke", op, fields)
        return self._number

    def end(self, number: int, kind: str, op: str, **fields: object) -> None:
        """Note what became of it: `ok`, `fail` or `info`."""
        self._write(number, kind, op, fields)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, number: int, kind: str, op: str, fields: dict[str, object]) -> None:
        line = {"t": time.monotonic_ns(), "p": self._process, "n": number, "k": kind, "op": op} | fields
        os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")


def read_lines(folder: Path) -> Iterator[Line]:
    """Yield the lines of every process, each process in its own order. A last line that was cut is left out."""
    for path in sorted(folder.glob("history-*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)


def payload_hash(payload: object) -> int:
    """Hash a JSON value by content: key order and spacing don't count."""
    return zlib.crc32(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode())
