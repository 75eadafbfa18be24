"""WAL a message, stage by stage."""

from __future__ import annotations

from benchmarks.charts import BarChart, LineChart, figure_chart
from benchmarks.ratios import Results
from benchmarks.tables import Table, figure_table

STAGES = {
    "wal_bytes": "WAL, bytes a message through its life, median",
    "send_bytes": "of it the send",
    "read_ack_bytes": "of it the read and the ack",
    "sweep_bytes": "of it the sweep after the leases have run out",
}


def tables(results: Results) -> list[Table]:
    return [figure_table(results, title, value) for value, title in STAGES.items()]


def charts(results: Results) -> list[BarChart | LineChart]:
    return [figure_chart(results, "WAL of a message's life", "bytes", "wal_bytes")]
