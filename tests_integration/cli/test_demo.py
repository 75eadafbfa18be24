"""`pgqueue demo`: the example runs to its end, again and again, with a consumer killed for real."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests_integration.cli.conftest import Pgqueue


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_demo_ends_green_twice_in_a_row(pgqueue: Pgqueue, db: psycopg.Connection, tmp_path: Path) -> None:
    for words in (("demo",), ("demo", "census")):
        ended = pgqueue(*words, "--files", "60", timeout=100, environ={"TMPDIR": str(tmp_path)})
        assert ended.returncode == 0, ended.stderr
        assert ("the orchestration walk: 6 executions" in ended.stdout) == (words == ("demo",))
        assert "with SIGKILL in the middle of its work" in ended.stderr
        assert "the census, from plain SQL" in ended.stdout
        (files, counted, dead, again, waiting, stored) = (
            db.execute(
                "select (select count(*) from pgqueue_demo.source_file), (select count(*) from pgqueue_demo.counted),"
                " (select count(*) from pgqueue.dead_letters where queue = 'demo_census' and reason = 'does not parse'),"
                " (select count(*) from pgqueue_demo.counted where attempt > 1), (select count(*) from pgqueue.messages),"
                " (select sum(functions) from pgqueue_demo.counted)"
            ).fetchone()
            or ()
        )
        assert files == counted + dead
        assert counted >= 57
        assert dead >= 3
        assert again > 0, "the killed consumer held nothing"
        assert (waiting, stored > 1_000) == (0, True)
