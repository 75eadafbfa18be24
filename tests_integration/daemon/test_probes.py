"""The port for probes: whatever clients do, the next probe is answered."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from pgqueue import PgQueue
from pgqueue.daemon.rules import READ_FAILURES_THAT_SHOW
from tests_integration.daemon.conftest import SLOW, Rows, StartCommand, eventually

Send = Callable[..., list[int]]


def test_probes_and_metrics_tell_how_it_goes_without_asking_the_database(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    send("quick", 3)
    send("slow")
    command = start(SLOW, processes=2)
    command.wait_for_mark("started")
    eventually(lambda: "pgqueue_messages_settled_total" in command.get("/metrics")[1])
    eventually(lambda: command.get("/readyz")[0] == 200)
    status, told = command.get("/livez")
    assert (status, told["status"], len(told["workers"])) == (200, "healthy", 2)
    assert sum(worker["running"] for worker in told["workers"]) == 1
    eventually(
        lambda: (
            'pgqueue_messages_settled_total{queue="orders",verb="delete"} 3.0' in command.get("/metrics")[1]
        )
    )
    assert 'pgqueue_messages_running{queue="orders"} 1.0' in command.get("/metrics")[1]
    assert command.get("/")[0] == 404


def test_a_port_that_others_reach_is_warned_of(start: StartCommand) -> None:
    for host, level in (("0.0.0.0", "warning"), ("127.0.0.1", "info"), ("::1", "info")):  # noqa: S104
        command = start(SLOW, "--host", host, ready=False)
        assert command.wait_for("health.opened")[0]["level"] == level
        command.kill()


def test_what_is_wrong_with_an_argument_is_said_once(start: StartCommand) -> None:
    command = start(SLOW, "", processes=2)
    assert len(command.events("argument.ignored")) == 1


def test_clients_that_stay_silent_or_send_garbage_keep_nobody_waiting(start: StartCommand) -> None:
    command = start(SLOW)
    assert command.get("/livez")[0] == 200
    port = command.events("health.opened")[0]["port"]
    with contextlib.ExitStack() as stack:
        for number in range(100):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            silent.sendall((b"", b"GET /livez HTTP/1.1\r\nHost: x", b"\x00\xff\r\n\r\n")[number % 3])
        began = time.monotonic()
        for _ in range(10):
            assert command.get("/livez", timeout=1)[0] == 200
        assert time.monotonic() - began < 1


def test_service_manager_is_told_when_it_is_ready_alive_and_stopping(
    start: StartCommand, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        command = start(SLOW, NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="100000")
        told: list[bytes] = []
        while b"READY=1" not in told:
            told.append(manager.recv(100))
        command.terminate()
        assert command.end() == 0
        manager.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                told.append(manager.recv(100))
    assert set(told) == {b"READY=1", b"WATCHDOG=1", b"STOPPING=1"}
    assert (told.count(b"READY=1"), told.count(b"STOPPING=1")) == (1, 1), "no worker tells it as well"


def test_port_that_cant_be_had_is_logged_and_messages_are_handled(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = start(SLOW, "--port", str(taken.getsockname()[1]))
        (event,) = command.events("health.unavailable")
        assert "in use" in event["error"]
        send("quick")
        command.wait_for_mark("quick")


def test_reads_that_fail_turn_livez_red_and_the_next_good_one_green(
    start: StartCommand, send: Send, db: psycopg.Connection
) -> None:
    command = start(SLOW, "--vt", "0.5", "--health-stale", "1")
    eventually(lambda: command.get("/livez")[0] == 200)
    db.execute("alter function pgqueue.read__orders rename to away")
    eventually(lambda: command.get("/livez")[0] == 503, 15)
    assert "its reads fail" in command.get("/livez")[1]["problems"][0]
    db.execute("alter function pgqueue.away rename to read__orders")
    eventually(lambda: command.get("/livez")[0] == 200, 15)
    assert len(command.pids()) == 1


def test_queue_that_is_dropped_beside_others_turns_no_probe_red(
    start: StartCommand, send: Send, client: PgQueue
) -> None:
    client.create_queue("mails", settings={"vt": 0.5, "health_stale": 1})
    app = SLOW + '\n@app.messages("mails")\ndef mail(message): mark("mail")\n'
    command = start(app, "mails", "--vt", "0.5", "--health-stale", "1")
    client.send("mails", 1)
    command.wait_for_mark("mail")
    client.drop_queue("mails", force=True)
    eventually(lambda: longest_failure(command.get("/livez")[1]) > READ_FAILURES_THAT_SHOW + 1)
    assert (command.get("/livez")[0], command.get("/readyz")[0]) == (200, 200)
    send("quick")
    command.wait_for_mark("quick")


def longest_failure(told: Any) -> float:
    return max(float(worker["reads_failing_for_seconds"]) for worker in told["workers"])
