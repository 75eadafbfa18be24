"""Send from Python: ours against the array parameter; COPY shown apart."""

from __future__ import annotations

from benchmarks.charts import BarChart, LineChart, figure_chart
from benchmarks.ratios import Results
from benchmarks.tables import Table, figure_table, ratio_table


def tables(results: Results) -> list[Table]:
    pairs = [("log", "pgmq"), ("row", "pgmq"), ("log", "floor"), ("floor", "pgmq"), ("copy", "pgmq")]
    return [
        ratio_table(results, "Rate of send_many against a jsonb[] parameter (COPY returns no ids)", pairs),
        figure_table(results, "Messages a second, median", "rate"),
        figure_table(results, "Client CPU, microseconds a message, median", "client_cpu_us"),
        figure_table(results, "Server CPU, microseconds a message, median", "server_cpu_us"),
    ]


def charts(results: Results) -> list[BarChart | LineChart]:
    return [figure_chart(results, "Sends from one Python process", "messages/s", "rate")]
