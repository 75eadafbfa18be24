"""The page of results: one file without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from benchmarks.charts import BarChart, LineChart
from benchmarks.svg import PALETTE, colours, draw
from benchmarks.tables import Table

STYLE = (Path(__file__).parent / "page.css").read_text() + "".join(
    f".c{n} {{ fill: var(--c{n}); }} .l{n} {{ stroke: var(--c{n}); }} .k{n} {{ background: var(--c{n}); }}\n"
    for n in range(PALETTE)
)


@dataclass(frozen=True, slots=True)
class Section:
    """One part on the page."""

    name: str
    about: str
    facts: Sequence[str]
    charts: Sequence[BarChart | LineChart]
    tables: Sequence[Table]


def page(bars: Table, sections: Sequence[Section]) -> str:
    """Return the whole page."""
    body = ["<h1>pgqueue: benchmarks</h1>"]
    body.append(
        '<p>Ratios side by side in one interleaved run; how to read them: <a href="../benchmarks.md">benchmarks.md</a>. '
        "Absolute figures belong to the machine and the day that each part names.</p>"
    )
    if not sections:
        body.append("<p>No results yet: <code>make bench-full</code> writes them.</p>")
    links = "".join(f'<a href="#{section.name}">{section.name}</a>' for section in sections)
    body.append(f"<nav>{links}</nav>")
    if bars.rows:
        body.append(_table(bars))
    for section in sections:
        body += _section(section)
    head = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>pgqueue: benchmarks</title>'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    return f"{head}<style>{STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"


def _section(section: Section) -> list[str]:
    found = [f'<h2 id="{section.name}">{section.name}</h2>', f"<p>{escape(section.about)}</p>"]
    for chart in section.charts:
        if isinstance(chart, BarChart) and not chart.groups:
            continue
        found.append(f"<h3>{escape(chart.title)} ({escape(chart.unit)})</h3>{_key(chart)}{draw(chart)}")
        if chart.note:
            found.append(f'<p class="note">{escape(chart.note)}</p>')
    found += [_table(table) for table in section.tables if table.rows]
    found += [f'<p class="facts">{escape(fact)}</p>' for fact in section.facts]
    return found


def _key(chart: BarChart | LineChart) -> str:
    keys = (
        f'<span class="key"><i class="k{n}"></i>{escape(name)}</span>' for name, n in colours(chart).items()
    )
    return f"<p>{''.join(keys)}</p>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in table.rows)
    return (
        f'<h3>{escape(table.title)}</h3><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    kind = {"MISSED": ' class="miss"', "met": ' class="met"'}.get(text.rpartition(" ")[2], "")
    return f"<td{kind}>{escape(text)}</td>"
