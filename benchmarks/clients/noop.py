"""Our worker's app: one task that does nothing; BENCH_HANDLER says whether its handler is async or sync."""

from __future__ import annotations

import os

from benchmarks.clients.tally import Tally
from pgqueue import App

app = App()
tally = Tally()
QUEUE = os.environ["BENCH_QUEUE"]

if os.environ["BENCH_HANDLER"] == "async":

    @app.task("orders.charge", queue=QUEUE)
    async def charge(org: str, order_id: int, currency: str, amount: int, note: str) -> None:  # noqa: ARG001
        tally.hit()

else:

    @app.task("orders.charge", queue=QUEUE)
    def charge_in_thread(org: str, order_id: int, currency: str, amount: int, note: str) -> None:  # noqa: ARG001
        tally.hit()
