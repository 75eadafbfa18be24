"""Opening connections."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from pgqueue.db import connect
from pgqueue.db.doors import DirectDoor
from pgqueue.errors import ClientMisuse, ConfigurationError, Unavailable
from pgqueue.message import calls
from pgqueue.settings import read_dsn
from tests_integration.db.faults import QUEUE, Events, OpenRunner, lease, warm
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import scalar
from tests_integration.fixtures.waiting import eventually_async

SECRET = "s3cr3t-pa55"


class ClosedDoor:
    """A server that hangs up on everybody, and counts them."""

    def __init__(self) -> None:
        self.visitors = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._refuse, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _refuse(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.visitors += 1
                client.close()


@pytest.fixture
def closed_door() -> Iterator[ClosedDoor]:
    door = ClosedDoor()
    yield door
    door.close()


def test_connecting_is_tried_three_times_and_the_password_is_never_told(
    closed_door: ClosedDoor, open_runner: OpenRunner, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    """U35"""
    caplog.set_level(logging.DEBUG)
    dsn = f"postgresql://app:{SECRET}@127.0.0.1:{closed_door.port}/app?sslmode=disable&gssencmode=disable"
    runner = open_runner(dsn)
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        runner.run(calls.delete(QUEUE, 1, 1))
    assert closed_door.visitors == 3
    assert time.monotonic() - started >= 1.5
    assert [event["attempt"] for event in events.named("connect.failed")] == [1, 2]
    assert not events.named("call.repeated")
    told = f"{caught.value} {caught.value!r} {events.seen} {caplog.text}"
    assert SECRET not in told
    assert "***" in told


def test_a_wrong_password_is_not_told_either(
    database: Database, open_runner: OpenRunner, caplog: pytest.LogCaptureFixture
) -> None:
    conninfo = psycopg.conninfo.make_conninfo(database.conninfo, password=SECRET, passfile="/dev/null")
    with pytest.raises(Unavailable) as caught:
        open_runner(conninfo, call_timeout=1.0).run(calls.peek(QUEUE))
    assert SECRET not in f"{caught.value} {caplog.text}"


def test_an_error_that_waiting_cannot_cure_is_raised_at_once(
    database: Database, open_runner: OpenRunner
) -> None:
    """U35"""
    started = time.monotonic()
    with pytest.raises(ConfigurationError):
        open_runner(f"{database.conninfo} no_such_option=1")
    assert time.monotonic() - started < 0.5


def test_a_closed_runner_says_so(database: Database, db: psycopg.Connection, open_runner: OpenRunner) -> None:
    runner = open_runner(database.conninfo)
    warm(runner)
    held = runner.idle()[0]
    runner.shut()
    assert held.closed
    with pytest.raises(ClientMisuse, match="closed"):
        runner.run(calls.peek(QUEUE))


def test_a_runner_used_in_a_forked_child_says_so_and_the_parents_connection_lives(
    database: Database, db: psycopg.Connection, open_runner: OpenRunner
) -> None:
    runner = open_runner(database.conninfo)
    message = lease(runner, db)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            runner.run(calls.peek(QUEUE))
            os.write(writing, b"no error")
        except BaseException as error:  # noqa: BLE001 - told to the parent
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 1000).decode()
    os.close(reading)
    os.waitpid(child, 0)
    assert said.startswith("ClientMisuse")
    assert "fork" in said
    assert runner.run(calls.delete(QUEUE, message.msg_id, message.receipt)) == "done"


def test_a_runner_closed_in_a_forked_child_leaves_the_parents_connection_alone(
    database: Database, db: psycopg.Connection, open_runner: OpenRunner
) -> None:
    runner = open_runner(database.conninfo)
    message = lease(runner, db)
    (before,) = runner.idle()
    child = os.fork()
    if child == 0:
        try:
            runner.shut()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert runner.run(calls.delete(QUEUE, message.msg_id, message.receipt)) == "done"
    assert runner.idle() == [before], "the child's close must not end the session on the shared socket"


async def test_a_caller_who_gives_up_while_the_door_is_being_checked_leaves_no_connection_behind(
    database: Database, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BACKEND_PID", "select pg_sleep(600)")
    door = DirectDoor(read_dsn(database.conninfo, "test"), "checked")
    opening = asyncio.create_task(connect.open_async_connection(door, time.monotonic() + 600))
    there = "select count(*) from pg_stat_activity where application_name = 'pgqueue/checked'"
    await eventually_async(lambda: scalar(db, f"{there} and query like '%sleep%'") == 1)
    opening.cancel()
    await asyncio.wait({opening})
    await eventually_async(lambda: scalar(db, there) == 0)
