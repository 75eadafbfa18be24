"""`pgqueue demo orchestration`: the walk ends green, its figures are those of the tables, and its check can fail."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests_integration.cli.conftest import ROOT, Pgqueue

EXAMPLE = ROOT / "examples" / "orchestration"
EXECUTIONS = "select id, status, billed, notified, lines from pgqueue_walk.execution order by id"


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The script that checks, imported as it imports its own."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    found = importlib.import_module("walk")
    yield found
    for name in ("walk", "workflow"):
        sys.modules.pop(name, None)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_walk_ends_green_twice_and_its_check_sees_what_is_wrong(
    pgqueue: Pgqueue, db: psycopg.Connection, walk: Any, tmp_path: Path
) -> None:
    """Twice, for the tombstones of the first walk stand in the second."""
    lines = sum(map(walk.lines_of, walk.some_files()))
    for first in (1, 7):
        ended = pgqueue("demo", "orchestration", timeout=140, environ={"TMPDIR": str(tmp_path)})
        assert ended.returncode == 0, ended.stderr
        assert "the walk, from plain SQL" in ended.stdout
        done, failed = ("COMPLETED", 1, 1, lines), ("ERROR", 0, 0, None)
        assert db.execute(EXECUTIONS).fetchall() == [
            (first + n, *end) for n, end in enumerate([done, done, done, failed, done, failed])
        ]
        assert counted(db, "select count(*) from pgqueue_walk.file where handled = 1") == 4 * 8 + 7
        assert counted(db, "select count(*) from pgqueue_walk.file where handled > 1") == 0
        killed = db.execute(
            "select max(attempt) from pgqueue_walk.run group by task order by task"
        ).fetchall()
        assert killed == [(2,), (2,)], "nobody was killed before an ack"
        assert counted(db, "select count(*) from pgqueue.messages") == 0
    assert walk.check(db, 7, lines) == []
    for damage, said in DAMAGES.items():
        with db.transaction(force_rollback=True):
            db.execute(damage.encode())
            assert said in " ".join(walk.check(db, 7, lines)), damage


DAMAGES = {
    "update pgqueue_walk.execution set billed = 2 where id = 11": "(callback killed before its ack): billed is 2, not 1",
    "update pgqueue_walk.execution set notified = 0 where id = 7": "notified is 0, not 1",
    "update pgqueue_walk.execution set status = 'PENDING' where id = 10": "status is 'PENDING', not 'ERROR'",
    "update pgqueue_walk.execution set lines = lines + 1 where id = 8": "lines is",
    "update pgqueue_walk.file set handled = 2 where execution_id = 9": "handled_again is 8, not 0",
    "update pgqueue_walk.run set answer = 'started' where answer = 'skipped_terminal'": "orchestrator is 'started', not",
    "delete from pgqueue_walk.run where task = 'finish' and attempt = 2": "callback_runs is 1, not 2",
    "delete from pgqueue.barrier where key = 'execution-12'": "barrier is 'none', not 'failed'",
    "delete from pgqueue.claim where key = '7'": "claim is None, not 'done'",
    "select pgqueue.redrive('demo_files')": "messages are left",
    "update pgqueue.d_demo_jobs set reason = 'poison'": "the dead letters are",
}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_without_ledger_and_tombstone_the_walk_ends_red(environment: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "orchestration"
    shutil.copytree(EXAMPLE, broken, ignore=shutil.ignore_patterns("__pycache__"))
    text = (broken / "workflow.py").read_text()
    for sound, faulty in (
        ('with ctx.once("bill") as connection:', "with database() as connection:"),
        ("claim.once(\n", "(lambda *_, **__: start(execution_id, org))(\n"),
    ):
        assert text.count(sound) == 1
        text = text.replace(sound, faulty)
    (broken / "workflow.py").write_text(text)
    program = "import os, sys, walk; sys.exit(not walk.main(os.environ['PGQUEUE_DSN']))"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=broken,
        env=environment | {"TMPDIR": str(tmp_path), "PYTHONPATH": f"{ROOT}:{broken}"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "(callback killed before its ack): billed is 2, not 1" in ended.stderr
    assert "(asked for twice): orchestrator is 'started, nothing to start'" in ended.stderr


def counted(db: psycopg.Connection, sql: str) -> int:
    row = db.execute(sql.encode()).fetchone()
    assert row is not None
    return int(row[0])
