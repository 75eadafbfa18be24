"""Our worker's app for latencies: notes when the handler of each message starts."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from pgqueue import App, Context

app = App()
starts: dict[int, float] = {}
EXPECTED, REPORT = int(os.environ["BENCH_EXPECTED"]), Path(os.environ["BENCH_REPORT"])


@app.messages(os.environ["BENCH_QUEUE"])
async def stamp(message: object, ctx: Context) -> None:  # noqa: ARG001
    # One clock for all processes of the machine.
    starts[ctx.message.msg_id] = time.monotonic()
    if len(starts) == EXPECTED:
        scratch = REPORT.with_suffix(".new")
        scratch.write_text(json.dumps({str(msg_id): at for msg_id, at in starts.items()}))
        scratch.rename(REPORT)
