"""The real command while its database is in trouble: it waits without spinning, loses nothing, and goes on by itself."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pgqueue import PgQueue
from pgqueue.task import payload
from tests_integration.faults.conftest import FindPlace, StartWorker, Tell
from tests_integration.faults.troubles import TROUBLES, Place
from tests_integration.fixtures.waiting import eventually

SPAN = 2.5
# Of one worker with reader, settler, upkeep, listener, settings and reaper, each of which backs off by itself. While all is
# well for it, the reaper sends four statements a second.
MOST_CONNECTIONS, MOST_STATEMENTS = 25, 35
CHORES = 7


def send(place: Place, n: int) -> None:
    with PgQueue(place.conninfo) as client:
        client.send("orders", payload.build("t", [n], {}))


def pass_by(seconds: float) -> None:
    """Let a fixed span of time pass: what is counted in it is the point."""
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= end, seconds + 5)


def waiting(place: Place) -> list[tuple[Any, ...]]:
    return place.rows("select msg_id, state, read_ct - release_ct from pgqueue.messages order by 1")


def dead(place: Place) -> list[tuple[Any, ...]]:
    return place.rows("select msg_id, reason, error from pgqueue.dead_letters")


@pytest.mark.parametrize("name", TROUBLES)
def test_a_running_worker_waits_trouble_out_without_spinning_and_goes_on(
    name: str, place: FindPlace, start: StartWorker, tell: Tell
) -> None:
    trouble = TROUBLES[name]
    there = place(trouble.through)
    send(there, 1)
    worker = start(there.dsn)
    worker.wait_for_mark("start_1")
    eventually(lambda: len(there.rows("select chore from pgqueue.sweeps where runs > 0")) == CHORES, 20)
    there.count()
    with trouble.begin(there):
        worker.let("go_1")  # so that its ack falls into the trouble
        pass_by(SPAN)
        connections, statements = there.count()
        assert worker.process.poll() is None, worker.output
    assert connections <= MOST_CONNECTIONS, f"{connections} connections were tried in {SPAN} s"
    assert statements <= MOST_STATEMENTS, f"{statements} statements were sent in {SPAN} s"
    worker.let("go_2")
    send(there, 2)
    eventually(lambda: not waiting(there), 40)
    assert 1 <= worker.marked("start_1") <= 1 + trouble.forgets, worker.output
    assert worker.marked("start_2") == 1, worker.output
    assert dead(there) == []
    worker.terminate()
    assert worker.end() == 0, worker.output
    tell("tries", f"{name}, {SPAN} s", connections + statements)


@pytest.mark.parametrize("name", ["server stopped", "links half-open", "disk full", "pooler paused"])
def test_a_signal_in_the_middle_of_trouble_ends_the_worker_within_its_grace(
    name: str, place: FindPlace, start: StartWorker
) -> None:
    trouble = TROUBLES[name]
    there = place(trouble.through)
    worker = start(there.dsn)
    worker.wait_for("consumer.started")
    with trouble.begin(there):
        send_at = time.monotonic()
        worker.terminate()
        assert worker.end() == 0, worker.output
        assert time.monotonic() - send_at < 6


@pytest.mark.parametrize(
    "name", ["server stopped", "links half-open", "no connection left", "pooler stopped"]
)
def test_a_worker_that_starts_in_trouble_waits_and_then_serves(
    name: str, place: FindPlace, start: StartWorker
) -> None:
    trouble = TROUBLES[name]
    there = place(trouble.through)
    send(there, 1)
    with trouble.begin(there):
        there.count()
        worker = start(there.dsn)
        worker.let("go_1")
        worker.wait_for("connect.failed")
        pass_by(SPAN)
        connections, _ = there.count()
        assert worker.process.poll() is None, worker.output
        assert connections <= MOST_CONNECTIONS
    eventually(lambda: not waiting(there), 20)
    assert worker.marked("start_1") == 1
    worker.terminate()
    assert worker.end() == 0


@pytest.mark.parametrize("name", ["server stopped", "links half-open"])
def test_a_signal_to_a_worker_that_never_saw_its_database_ends_it_at_once(
    name: str, place: FindPlace, start: StartWorker
) -> None:
    trouble = TROUBLES[name]
    there = place(trouble.through)
    with trouble.begin(there):
        worker = start(there.dsn)
        eventually(lambda: there.count()[0], 10)
        sent_at = time.monotonic()
        worker.terminate()
        assert worker.end() == 0, worker.output
        assert time.monotonic() - sent_at < 2


def test_a_role_without_rights_is_told_which_to_get(place: FindPlace, start: StartWorker, role: str) -> None:
    there = place("proxy")
    there.run(f"revoke pgqueue_consumer from {role}")
    worker = start(there.dsn)
    assert worker.end() == 3, worker.output
    assert "grant pgqueue_consumer" in worker.output
    assert "Traceback" not in worker.output
