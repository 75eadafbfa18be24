"""Our worker's app: one handler that does nothing or sleeps; BENCH_HANDLER says whether it is async, sync or for batches."""

from __future__ import annotations

import asyncio
import os
import time

from benchmarks.clients.tally import Tally, work_seconds
from pgqueue import App

app = App()
tally = Tally()
QUEUE, SECONDS = os.environ["BENCH_QUEUE"], work_seconds()
BATCH = 100

if os.environ["BENCH_HANDLER"] == "async":

    @app.task("orders.charge", queue=QUEUE)
    async def charge(org: str, order_id: int, currency: str, amount: int, note: str) -> None:  # noqa: ARG001
        if SECONDS:
            await asyncio.sleep(SECONDS)
        tally.hit()

elif os.environ["BENCH_HANDLER"] == "batch":

    @app.messages(QUEUE, batch=BATCH)
    async def charge_all(messages: list[object]) -> None:
        tally.hit(len(messages))

else:

    @app.task("orders.charge", queue=QUEUE)
    def charge_in_thread(org: str, order_id: int, currency: str, amount: int, note: str) -> None:  # noqa: ARG001
        if SECONDS:
            time.sleep(SECONDS)
        tally.hit()
