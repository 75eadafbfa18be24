"""Tables of text, the same for the terminal, for Markdown and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.ratios import Point, Results, shown, shown_ratio

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of text; the first column names the row."""

    title: str
    header: Row
    rows: list[Row]

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", "| " + " | ".join(self.header) + " |"]
        lines.append("|---" + "|---:" * (len(self.header) - 1) + "|")
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines)


def ratio_table(
    results: Results,
    title: str,
    pairs: Sequence[tuple[str, str]],
    *,
    cases: Sequence[str] | None = None,
    value: str = "rate",
) -> Table:
    """One row a case, one column a pair of systems: the first over the second."""
    rows: list[Row] = []
    for case in results.cases() if cases is None else cases:
        ratios = [results.ratio(Point(case, above), Point(case, below), value) for above, below in pairs]
        if any(ratios):
            rows.append((case, *(shown_ratio(ratio) for ratio in ratios)))
    return Table(title, ("", *(f"{above} / {below}" for above, below in pairs)), rows)


def figure_table(
    results: Results, title: str, value: str, *, cases: Sequence[str] | None = None, scale: float = 1.0
) -> Table:
    """One row a case, one column a system: the median."""
    systems = [
        s for s in results.systems() if any(results.values(Point(c, s), value) for c in results.cases())
    ]
    rows: list[Row] = []
    for case in results.cases() if cases is None else cases:
        spreads = [results.spread(Point(case, system), value) for system in systems]
        if any(spreads):
            rows.append((case, *(shown(s.median * scale if s else None) for s in spreads)))
    return Table(title, ("", *systems), rows)


def show(table: Table) -> None:
    """Print to stdout."""
    console = Console(width=None if Console().is_terminal else 180)
    drawn = RichTable(title=table.title, title_justify="left")
    for place, name in enumerate(table.header):
        drawn.add_column(name, justify="left" if place == 0 else "right")
    for row in table.rows:
        drawn.add_row(*row)
    console.print(drawn)
