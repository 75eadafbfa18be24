"""What a consumer says at its end of the verdicts that the database never answered."""

from __future__ import annotations

import asyncio
import logging
from signal import SIGTERM
from typing import Any

import pytest

from pgqueue import App
from pgqueue.call import Call
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import Doors
from pgqueue.consumer.settings import ProcessSettings
from tests.consumer.conftest import PLAN, NoTransactions, SyncScript, message
from tests.simulation.virtual_time import VirtualLoop, simulate


class Deaf:
    """Hands out one message, and never answers when it is settled."""

    def __init__(self) -> None:
        self._left = [message("x")]

    async def run(self, call: Call[Any]) -> Any:
        if call.name == "message.read":
            left, self._left = self._left, []
            return left
        return await asyncio.sleep(1_000_000)


def test_a_verdict_that_is_on_its_way_at_the_end_is_told_as_unsettled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "pgqueue")
    app = App()

    @app.messages("orders")
    async def handle(message: object) -> None: ...

    async def play(loop: VirtualLoop) -> int:
        doors = Doors(Deaf(), lambda _: SyncScript(), NoTransactions())
        consumer = Consumer(app, doors, ProcessSettings(), [PLAN], now=loop.time)
        consumer._renewal.start = consumer._renewal.stop = lambda: None  # type: ignore[method-assign]
        running = asyncio.create_task(consumer.run())
        await asyncio.sleep(1)
        consumer.request_stop(SIGTERM)
        return await running

    assert simulate(play) == 1
    (stopped,) = [
        r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg["event"] == "consumer.stopped"
    ]
    assert stopped["unsettled"] == 1
