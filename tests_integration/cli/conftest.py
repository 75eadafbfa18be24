"""The command `pgqueue` as real processes, in a directory and an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from pgqueue import PgQueue
from tests_integration.fixtures.database import Database

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "pgqueue")

Ended = subprocess.CompletedProcess[str]
Pgqueue = Callable[..., Ended]


@pytest.fixture
def environment(database: Database) -> dict[str, str]:
    """The variables of a process that works on this test's database; change them at will."""
    inherited = {
        n: v for n, v in os.environ.items() if not n.startswith(("PG", "DATABASE_URL", "LC_", "LANG"))
    }
    return inherited | {"PYTHONPATH": str(ROOT), "PGQUEUE_DSN": database.conninfo, "LANG": "C.UTF-8"}


@pytest.fixture
def pgqueue(environment: dict[str, str], tmp_path: Path) -> Pgqueue:
    """Run `pgqueue WORD...`.

    `stdin` is text, `feed` a file in its place; `environ` adds variables, or takes them away with None.
    """

    def run(
        *words: str,
        stdin: str = "",
        feed: IO[bytes] | None = None,
        environ: Mapping[str, str | None] | None = None,
        **more: Any,
    ) -> Ended:
        variables = {n: v for n, v in (environment | dict(environ or {})).items() if v is not None}
        settings: dict[str, Any] = {"cwd": tmp_path, "text": True, "timeout": 30} | more
        settings |= {"stdin": feed} if feed else {"input": stdin}
        return subprocess.run([*PROGRAM, *words], env=variables, capture_output=True, check=False, **settings)

    return run


@pytest.fixture
def orders(database: Database) -> str:
    """Make the queue `orders`; return its name."""
    with PgQueue(database.conninfo) as client:
        client.create_queue("orders")
    return "orders"


def one_line(ended: Ended, code: int, said: str) -> None:
    """Check that it ended with this code and told why in one line, and printed nothing."""
    assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("pgqueue")
    assert said in ended.stderr
