"""Print rows: a table for people, JSON lines for scripts. Data goes to stdout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import orjson

WIDEST = 60


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str
) -> None:
    """Print `columns` of each row; `empty` is what people read when there are none."""
    listed = list(rows)
    if as_json:
        for row in listed:
            print_json({column: row[column] for column in columns})
        return
    if not listed:
        click.echo(empty)
        return
    cells = [[_text(row[column]) for column in columns] for row in listed]
    widths = [max(len(column), *(len(line[n]) for line in cells)) for n, column in enumerate(columns)]
    click.echo(_line(columns, widths))
    click.echo("  ".join("-" * width for width in widths))
    for line in cells:
        click.echo(_line(line, widths))


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line, in UTF-8 wherever it goes: an escape of the terminal's would be no JSON."""
    click.echo(orjson.dumps(value, default=str))


def at(moment: datetime | None) -> str:
    """Show a time in UTC, to the second."""
    return "-" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def printable(text: str) -> str:
    """Put text on one line: what could write lines or move the cursor becomes a space."""
    return "".join(c if c.isprintable() else " " for c in text)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _text(value: Any) -> str:
    """Show a value in one line of at most WIDEST characters; control characters never reach the terminal."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return at(value)
    if isinstance(value, (dict, list, bool)):
        value = orjson.dumps(value).decode()
    text = printable(str(value))
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
