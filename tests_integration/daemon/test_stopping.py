"""How the command ends: by one signal, by two, and when its supervisor is killed."""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests_integration.daemon.conftest import SLOW, Rows, StartCommand, eventually, is_alive

Send = Callable[..., list[int]]
BLOCKING = """
@app.task("block", queue="orders")
async def block():
    mark("started")
    time.sleep(1000)
"""


def test_sigterm_ends_idle_workers_with_0(start: StartCommand) -> None:
    command = start(SLOW, processes=2)
    command.terminate()
    assert command.end() == 0
    assert not any(map(is_alive, command.pids()))
    assert command.events("supervisor.stopped")[0]["exit_code"] == 0


def test_sigterm_while_workers_start_ends_with_0(start: StartCommand) -> None:
    command = start(SLOW, processes=2, ready=False)
    command.wait_for("worker.started", 2)
    command.terminate()
    assert command.end() == 0


def test_sigterm_lets_every_worker_finish_and_gives_the_rest_back(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    send("slow", 5)
    command = start(SLOW, "--concurrency", "1", "--batch", "1", processes=2)
    command.wait_for_mark("started", 2)
    command.terminate()
    command.wait_for("stop.requested", 3)  # the supervisor's, and one of each worker
    assert command.get("/readyz")[0] == 503
    command.let("go")
    assert command.end() == 0
    assert command.marked("ended") == 2
    assert [row[1:3] for row in waiting()] == [("ready", 0)] * 3


def test_second_sigterm_gives_everything_back_now(start: StartCommand, send: Send, waiting: Rows) -> None:
    send("slow", 2)
    command = start(SLOW, "--concurrency", "1", "--batch", "1", processes=2)
    command.wait_for_mark("started", 2)
    command.terminate()
    command.wait_for("stop.requested", 3)
    command.terminate()
    assert command.end() == 143
    assert [row[1:4] for row in waiting()] == [("ready", 1, 1)] * 2


def test_second_sigint_ends_with_130_also_a_worker_that_cant_hear_it(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    send("block")
    command = start(BLOCKING, "--concurrency", "1")
    command.wait_for_mark("started")
    eventually(lambda: command.get("/metrics")[1].find('loop_lag_seconds{worker="0"} 0.0') < 0)
    for count in (1, 2):
        command.process.send_signal(signal.SIGINT)
        command.wait_for("stop.requested", count)
    assert command.end(5) == 130
    assert [row[1:4] for row in waiting()] == [("ready", 1, 1)], "it was stopped: its message isn't to blame"


def test_worker_that_is_over_its_grace_gives_its_messages_back(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    send("slow")
    command = start(SLOW, "--grace", "0.2")
    command.wait_for_mark("started")
    command.terminate()
    assert command.end() == 143
    assert [row[1:4] for row in waiting()] == [("ready", 1, 1)]


def test_workers_of_a_killed_supervisor_finish_and_end(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    send("slow", 3)
    command = start(SLOW, "--concurrency", "1", "--batch", "1", processes=2)
    command.wait_for_mark("started", 2)
    command.process.kill()
    eventually(lambda: len(command.events("supervisor.lost")) == 2)
    command.let("go")
    eventually(lambda: not any(map(is_alive, command.pids())))
    assert command.marked("ended") == 2
    assert [row[1:3] for row in waiting()] == [("ready", 0)]


def test_worker_of_a_killed_supervisor_that_cant_stop_is_ended_all_the_same(
    start: StartCommand, send: Send
) -> None:
    send("block")
    command = start(BLOCKING, "--grace", "0", "--concurrency", "1")
    command.wait_for_mark("started")
    command.process.kill()
    eventually(lambda: not any(map(is_alive, command.pids())), 12)
