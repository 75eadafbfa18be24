"""Barrier: the rate of parts against that of the same messages without one; large results."""

from __future__ import annotations

from benchmarks.charts import BarChart, LineChart, ratio_chart
from benchmarks.clients.fan import BARRIER, PLAIN, PLAIN_ASYNC
from benchmarks.ratios import Results
from benchmarks.tables import Table, figure_table, ratio_table

KINDS = ("log", "row")
LIKE = [(f"{kind} {BARRIER}", f"{kind} {PLAIN}") for kind in KINDS]
DEFAULT = [(f"{kind} {BARRIER}", f"{kind} {PLAIN_ASYNC}") for kind in KINDS]
FIGURES = {
    "rate": "Messages a second, median",
    "send_rate": "Messages a second while arming or sending, one session, median",
    "server_cpu_us": "Server CPU, microseconds a message, median",
    "client_cpu_us": "Client CPU, microseconds a message, median",
    "wal_bytes": "WAL of read and ack, bytes a message, median",
    "arrive_ms": "Large results: from the first read to the last arrival, ms, median",
    "results_ms": "Large results: reading all of them, ten a page, ms, median",
}


def tables(results: Results) -> list[Table]:
    return [
        ratio_table(results, "Rate with a barrier over without, acks synchronous in both", LIKE),
        ratio_table(results, "The same over plain messages with our default, asynchronous acks", DEFAULT),
        *(figure_table(results, title, value) for value, title in FIGURES.items()),
    ]


def charts(results: Results) -> list[BarChart | LineChart]:
    note = (
        "1 is the rate of the same messages without a barrier in the same round; thin lines are the spread."
    )
    return [ratio_chart(results, "Parts of a barrier against plain messages", LIKE, note=note)]
