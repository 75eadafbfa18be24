"""The history of one process: one JSON object a line, one `write` a line, before and after each operation.

The format is the checker's: `verdict` documents it, and imports nothing from here.
"""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

LONGEST_ERROR = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class History:
    """The history file of one process incarnation. Safe to share between threads."""

    def __init__(self, folder: Path, p: str, role: str) -> None:
        """Open the file and write its first line."""
        self._p = p
        self._lock = threading.Lock()
        self._number = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(folder / f"history-{p}.jsonl", flags, 0o644)
        self._born = self.invoke("process", pid=os.getpid(), role=role, ppid=os.getppid())

    def invoke(self, op: str, **fields: Any) -> int:
        """Note that an operation is about to go out; return its number."""
        with self._lock:
            self._number += 1
            self._write(self._number, op, "invoke", fields)
            return self._number

    def ok(self, number: int, op: str, **fields: Any) -> None:
        """It happened, and the answer came."""
        self._write(number, op, "ok", fields)

    def fail(self, number: int, op: str, error: BaseException | str, **fields: Any) -> None:
        """It certainly did not happen."""
        self._write(number, op, "fail", _described(error) | fields)

    def info(
        self, number: int, op: str, error: BaseException, *, in_doubt: bool = True, **fields: Any
    ) -> None:
        """Nobody knows."""
        self._write(number, op, "info", _described(error) | {"in_doubt": in_doubt} | fields)

    def note(self, op: str, **fields: Any) -> None:
        """Note something that has no beginning."""
        with self._lock:
            self._number += 1
            self._write(self._number, op, "ok", fields)

    def close(self) -> None:
        """Write the last line of a process that ends in good order. Safe to repeat."""
        with self._lock:
            if self._file >= 0:
                self._write(self._born, "process", "ok", {})
                os.close(self._file)
                self._file = -1

    def _write(self, number: int, op: str, kind: str, fields: dict[str, Any]) -> None:
        if self._file < 0:  # a handler that outlives the end of its process
            return
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        line = {"t": now, "p": self._p, "n": number, "op": op, "type": kind} | fields
        os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")


def payload_hash(payload: Any) -> int:
    """Hash a JSON value by content: key order and spacing don't count."""
    return zlib.crc32(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode())


def uid_of(payload: Any) -> str | None:
    """Find the producer's uid in a payload of ours, well-formed or not."""
    if not isinstance(payload, dict):
        return None
    kwargs = payload.get("kwargs")
    found = kwargs.get("uid") if isinstance(kwargs, dict) else payload.get("uid")
    return found if isinstance(found, str) else None


def micros(instant: datetime | None) -> int | None:
    """Turn an instant of the database into microseconds since 1970, exactly."""
    return None if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def _described(error: BaseException | str) -> dict[str, Any]:
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return {"err": text[:LONGEST_ERROR], "sqlstate": getattr(error, "sqlstate", None), "in_doubt": False}
