"""The unit lane: no database, no network, no sleep."""

from __future__ import annotations

import socket
import time
from typing import NoReturn

import pytest
from hypothesis import settings

settings.register_profile("pgqueue", deadline=None, derandomize=True, database=None)
settings.load_profile("pgqueue")


@pytest.fixture(autouse=True)
def _no_network_and_no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a unit test that waits or dials fail at once instead of being slow or flaky."""

    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        pytest.fail("a unit test dialled or slept: it belongs into tests_integration/")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(time, "sleep", refuse)
