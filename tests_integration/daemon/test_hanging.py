"""A handler that hangs: its lease ends at health_stale, its process is replaced, everything else goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest

from pgqueue import PgQueue
from tests_integration.daemon.conftest import SLOW, Rows, StartCommand, eventually, is_alive

Send = Callable[..., list[int]]

HANGING = (
    SLOW
    + """
@app.task("wait", queue="orders")
def wait():
    mark("hangs")
    wait_for("never")

@app.task("burn", queue="orders")
def burn():
    mark("hangs")
    while True: pass

@app.task("block", queue="orders")
async def block():
    mark("hangs")
    time.sleep(1000)

@app.task("hold", queue="orders")
def hold(seconds=1000):
    import ctypes
    mark("hangs")
    ctypes.PyDLL(None).sleep(seconds)  # called without giving up the interpreter
    mark("held")
"""
)


def test_whatever_hangs_is_ended_and_retried_with_the_reason(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    kinds = ("wait", "burn", "block", "hold")
    for kind in kinds:
        send(kind)
    limits = ("--vt", "1", "--health-stale", "2", "--grace", "0.5")
    command = start(HANGING, *limits, "--concurrency", "1", "--batch", "1", processes=4)
    command.wait_for_mark("hangs", 4)
    hanging = command.pids()[:4]
    rows = eventually(lambda: found if len(found := [row for row in waiting() if row[4]]) == 4 else [], 15)
    assert [(row[1], row[2], row[3]) for row in rows] == [("retry", 1, 0)] * 4
    assert all("over health_stale (2 s)" in row[4] for row in rows)
    assert sorted(event["pid"] for event in command.events("worker.replaced")) == sorted(hanging)
    assert {event["reason"] for event in command.events("worker.replaced")} == {"stale"}
    eventually(lambda: not any(map(is_alive, hanging)))
    command.wait_for("consumer.started", 8)
    send("quick")
    command.wait_for_mark("quick")
    eventually(lambda: command.get("/livez")[0] == 200)
    assert command.process.poll() is None


def test_livez_is_red_until_the_stale_process_is_gone_and_others_get_their_grace(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    command = start(HANGING, "--vt", "1", "--health-stale", "5", "--grace", "30", "--poll-max", "0.1")
    send("wait")
    command.wait_for_mark("hangs")
    eventually(lambda: command.get("/livez")[1]["workers"][0]["longest_run_seconds"] > 4)
    send("slow")
    send("quick", 20)
    command.wait_for_mark("started")
    command.wait_for("worker.replaced")
    status, _ = eventually(
        lambda: found if "made no progress" in str((found := command.get("/livez"))[1]) else None
    ) or (0, 0)
    assert status == 503
    assert is_alive(command.pids()[0])
    command.let("go")
    command.wait_for("worker.stopped")
    assert command.marked("ended") == 1
    command.wait_for_mark("quick", 20)  # by its successor
    eventually(lambda: command.get("/livez")[0] == 200)
    ((_, state, read_ct, release_ct, error),) = eventually(lambda: [row for row in waiting() if row[4]])
    assert (state, read_ct, release_ct) == ("retry", 1, 0)
    assert "its worker process was replaced (SIGKILL by its supervisor)" in error


@pytest.mark.parametrize(("processes", "kept"), [(1, True), (0, False)])
def test_lease_outlives_c_code_that_holds_the_interpreter_thanks_to_the_supervisor(
    start: StartCommand,
    client: PgQueue,
    send: Send,
    waiting: Rows,
    db: psycopg.Connection,
    processes: int,
    kept: bool,
) -> None:
    """Without one the renewal thread starves with the rest of the process, and the message is handed out twice."""
    options = ("--vt", "2", "--health-stale", "30", "--concurrency", "1")
    command = start(HANGING, *options, processes=processes)
    send("hold", 1, 6)
    command.wait_for_mark("hangs")
    began = time.monotonic()
    taken: list[object] = []
    while time.monotonic() - began < 5 and not taken:
        taken = list(client.read("orders", vt=1))
        time.sleep(0.05)
    assert bool(taken) is not kept
    if kept:
        command.wait_for("worker.silent")
        eventually(lambda: not waiting(), 10)
        assert (command.marked("hangs"), command.marked("held")) == (1, 1)
        assert not command.events("worker.died")
