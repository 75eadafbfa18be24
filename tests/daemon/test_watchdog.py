from __future__ import annotations

import math
import socket

import pytest

from pgqueue.consumer.channel import Channel
from pgqueue.consumer.record import SIZE
from pgqueue.consumer.report import Beat, decode
from pgqueue.consumer.watchdog import Watchdog
from tests.consumer.conftest import Said


class Enough(BaseException):
    """Ends what never ends."""


def test_beat_that_fails_is_said_and_the_next_one_is_sent(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(Channel(ours), memoryview(bytearray(SIZE)).cast("q"))
        watchdog.report.shortest_vt = math.ulp(1.0)  # so that it waits for nothing
        answers: list[Beat | BaseException] = [
            RuntimeError("dictionary changed size during iteration"),
            Beat(resident_bytes=7),
            Enough(),
        ]

        def beat(*_: object) -> Beat:
            answer = answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setattr(watchdog.report, "beat", beat)
        with pytest.raises(Enough):
            watchdog._repeat()
        assert decode(theirs.recv(4096)) == Beat(resident_bytes=7)
    assert said.events() == [("ERROR", "beat.failed")]
