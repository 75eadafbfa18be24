"""A database that can't be reached for a reason of its own: the reason is named, and said once, not a hundred times."""

from __future__ import annotations

import pytest
from psycopg.conninfo import make_conninfo

from tests_integration.faults.conftest import FindPlace, StartWorker
from tests_integration.faults.troubles import without_room
from tests_integration.fixtures.waiting import eventually

# (what is wrong with the DSN, what is said about it)
CASES: dict[str, tuple[dict[str, str], str]] = {
    "wrong password": ({"password": "hush-hush", "passfile": "/dev/null"}, "password authentication failed"),
    "wrong database": ({"dbname": "nowhere"}, 'database "nowhere" does not exist'),
    "wrong user": ({"user": "nobody_here"}, "nobody_here"),
    "TLS asked of a server without": ({"sslmode": "require"}, "SSL"),
    "nobody listens": ({"port": "1"}, "refused"),
}


@pytest.mark.parametrize("name", CASES)
def test_fail_fast_ends_with_4_and_one_line_that_names_the_reason(
    name: str, place: FindPlace, start: StartWorker
) -> None:
    """B67"""
    wrong, said = CASES[name]
    worker = start(make_conninfo(place("proxy").dsn, **wrong), processes=0, fail_fast=True)
    assert worker.end() == 4, worker.output
    assert said in worker.output.splitlines()[-1]
    assert "hush-hush" not in worker.output
    assert "Traceback" not in worker.output


def test_a_worker_that_waits_says_why_once_and_not_at_every_attempt(
    place: FindPlace, start: StartWorker
) -> None:
    """B67"""
    there = place("proxy")
    with without_room(there):
        worker = start(there.dsn)
        eventually(lambda: there.proxy.links >= 6, 15)
        said = worker.events("connect.failed")
    assert all("too many connections" in event["error"] for event in said)
    assert 1 <= len(said) <= 3, f"{len(said)} lines after {there.proxy.links} attempts"
