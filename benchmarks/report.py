"""From samples to tables: every ratio is taken round by round, then its median and spread are shown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.cells import ASYNC, SYNC, Cell
from benchmarks.measure import Sample
from benchmarks.systems import FLOOR, OURS, PGMQ, SYSTEMS

RESULTS = Path(__file__).parent / "results"
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """Text in rows and columns, the same for the terminal and for Markdown."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Results:
    """All samples of a run, by cell, system and round."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = {(s.cell, s.system, s.round): s for s in samples}
        self._rounds = sorted({s.round for s in samples})

    def of(self, cell: str, system: str) -> list[Sample]:
        """The samples by round; empty when the system doesn't run in this cell."""
        found = [self._samples.get((cell, system, number)) for number in self._rounds]
        return [sample for sample in found if sample is not None]

    def ratio(self, above: tuple[str, str], below: tuple[str, str]) -> str:
        """Rate of one (cell, system) over that of another: median (least..most) over the rounds."""
        pairs = list(zip(self.of(*above), self.of(*below), strict=False))
        if not pairs:
            return NOTHING
        ratios = [a.rate / b.rate for a, b in pairs]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"

    def tables(self, cells: Sequence[Cell]) -> list[Table]:
        names = [s.name for s in SYSTEMS if any(s in cell.systems for cell in cells)]
        return [
            self._ratios(cells, names),
            *self._defaults(cells),
            self._figures("Messages a second, median", cells, names, "rate"),
            self._figures("Server CPU, microseconds a message, median", cells, names, "cpu_us"),
            self._figures("WAL, bytes a message, median", cells, names, "wal_bytes"),
        ]

    def _ratios(self, cells: Sequence[Cell], names: list[str]) -> Table:
        others = [name for name in names if name != PGMQ.name]
        rows = [
            (
                cell.name,
                *(self.ratio((cell.name, name), (cell.name, PGMQ.name)) for name in others),
                self.ratio((cell.name, OURS.name), (cell.name, FLOOR.name)),
            )
            for cell in cells
        ]
        header = ("like for like", *(f"{name} / pgmq" for name in others), f"{OURS.name} / floor")
        return Table("Rate against pgmq in the same commit mode, median (least..most)", header, rows)

    def _defaults(self, cells: Sequence[Cell]) -> list[Table]:
        rows: list[tuple[str, ...]] = []
        for cell in (c for c in cells if c.reads and c.commit == ASYNC):
            sync = cell.name.replace(ASYNC, SYNC)
            ratio = self.ratio((cell.name, OURS.name), (sync, PGMQ.name))
            rows.append((cell.name.removesuffix(f", {ASYNC}"), ratio))
        title = "Defaults: ours (read and ack commit asynchronously) against pgmq's (synchronously)"
        return [Table(title, ("not like for like", "pgqueue async / pgmq sync"), rows)] if rows else []

    def _figures(self, title: str, cells: Sequence[Cell], names: list[str], field: str) -> Table:
        rows = [(cell.name, *(self._median(cell.name, name, field) for name in names)) for cell in cells]
        return Table(title, ("", *names), rows)

    def _median(self, cell: str, system: str, field: str) -> str:
        values = [getattr(sample, field) for sample in self.of(cell, system)]
        known = [value for value in values if value is not None]
        if not known:
            return NOTHING
        value = statistics.median(known)
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def show(tables: Sequence[Table], facts: dict[str, str]) -> None:
    """Print to stdout."""
    console = Console(width=None if Console().is_terminal else 160)
    for table in tables:
        drawn = RichTable(title=table.title, title_justify="left")
        for place, name in enumerate(table.header):
            drawn.add_column(name, justify="left" if place == 0 else "right")
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()), highlight=False)


def write(
    tables: Sequence[Table], samples: Sequence[Sample], facts: dict[str, str], folder: Path = RESULTS
) -> tuple[Path, Path]:
    """Write latest.md and latest.json; what they held before is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    text = ["# Latest benchmark run", "", "How to read this: docs/benchmarks.md.", ""]
    text += [f"- {name}: {value}" for name, value in facts.items()]
    for table in tables:
        text += ["", f"## {table.title}", "", "| " + " | ".join(table.header) + " |"]
        text += ["|---" + "|---:" * (len(table.header) - 1) + "|"]
        text += ["| " + " | ".join(row) + " |" for row in table.rows]
    markdown, data = folder / "latest.md", folder / "latest.json"
    markdown.write_text("\n".join(text) + "\n")
    data.write_text(json.dumps({"facts": facts, "samples": [asdict(s) for s in samples]}, indent=1) + "\n")
    return markdown, data
