from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgqueue.daemon.notify import Notify


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        yield receiver


def told(manager: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(manager.recv(1000).decode())
        except BlockingIOError:
            return found


def test_states_are_told_once(manager: socket.socket) -> None:
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()})
    for _ in range(3):
        notify.ready()
        notify.alive(1e9)
    notify.stopping()
    assert told(manager) == ["READY=1", "STOPPING=1"]


def test_watchdog_is_fed_twice_as_often_as_systemd_asks(manager: socket.socket) -> None:
    notify = Notify(
        {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}
    )
    for now in (100.0, 101.9, 102.0, 103.0, 104.5):
        notify.alive(now)
    assert told(manager) == ["WATCHDOG=1"] * 3


def test_watchdog_of_another_process_is_not_ours(manager: socket.socket) -> None:
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"})
    notify.alive(1.0)
    assert told(manager) == []


def test_abstract_socket_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("")  # Linux chooses an abstract name
        receiver.setblocking(False)
        Notify({"NOTIFY_SOCKET": "@" + receiver.getsockname()[1:].decode()}).ready()
        assert told(receiver) == ["READY=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_a_service_manager_nothing_happens(environ: dict[str, str]) -> None:
    notify = Notify(environ)
    notify.ready()
    notify.alive(1.0)
    notify.stopping()
