"""Charts drawn as SVG, with classes for colours, so that the page's style makes them light or dark."""

from __future__ import annotations

import math
from html import escape

from benchmarks.charts import Bar, BarChart, LineChart
from benchmarks.ratios import shown

# Narrow, so that the text keeps its size on a phone.
WIDTH = 420
LEFT, RIGHT, BAR, GAP, HEAD = 4, 70, 14, 22, 6
PLOT_HEIGHT, AXIS = 200, 56
TICKS = 4
LONGEST_UNIT = 2
PALETTE = 8
# The same system has the same colour in every chart; others take what is left.
FIXED = {
    "log": 0,
    "row": 1,
    "pgmq": 2,
    "floor": 3,
    "pgq": 4,
    "log_async": 0,
    "row_async": 1,
    "pgmq_loop": 2,
    "log on": 0,
    "row on": 1,
}


def draw(chart: BarChart | LineChart) -> str:
    return _bars(chart) if isinstance(chart, BarChart) else _lines(chart)


def colours(chart: BarChart | LineChart) -> dict[str, int]:
    """A colour number for each name; a control has that of its system."""
    if isinstance(chart, BarChart):
        names = [bar.name for _, bars in chart.groups for bar in bars]
    else:
        names = [name.removesuffix(" control") for name in chart.lines]
    names = list(dict.fromkeys(names))
    taken = {FIXED[name] for name in names if name in FIXED}
    free = [number for number in range(PALETTE) if number not in taken] or [0]
    others = [name for name in names if name not in FIXED]
    found = {name: free[place % len(free)] for place, name in enumerate(others)}
    return {name: FIXED.get(name, found.get(name, 0)) for name in names}


def _bars(chart: BarChart) -> str:
    numbers, y, parts = colours(chart), HEAD, list[str]()
    scale = _Scale(chart)
    for label, bars in chart.groups:
        parts.append(f'<text x="{LEFT}" y="{y + 12}" class="label">{escape(label)}</text>')
        y += 18
        for bar in bars:
            parts.append(_bar(bar, chart, scale, numbers[bar.name], y))
            y += BAR + 2
        y += GAP - BAR
    if chart.goal is not None:
        x = scale.x(chart.goal)
        parts.append(f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{y}" class="goal"/>')
    return _svg(chart.title, y, parts)


def _bar(bar: Bar, chart: BarChart, scale: _Scale, number: int, y: int) -> str:
    spread, middle = bar.spread, y + BAR / 2
    width = max(1.0, scale.x(spread.median) - LEFT)
    text = shown(spread.median) + (f" {chart.unit}" if len(chart.unit) <= LONGEST_UNIT else "")
    tip = f"{bar.name}: {shown(spread.median)} ({shown(spread.least)}..{shown(spread.most)}) {chart.unit}"
    found = f'<g><title>{escape(tip)}</title><rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" class="c{number}"/>'
    if spread.rounds > 1:
        least, most = scale.x(spread.least), scale.x(spread.most)
        found += f'<line x1="{least:.1f}" y1="{middle}" x2="{most:.1f}" y2="{middle}" class="spread"/>'
    place = max(scale.x(spread.median), scale.x(spread.most)) + 5
    return found + f'<text x="{place:.1f}" y="{y + 11}" class="value">{escape(text)}</text></g>'


class _Scale:
    """From a value to a place on the line between LEFT and the space for the figures."""

    def __init__(self, chart: BarChart) -> None:
        values = [v for _, bars in chart.groups for bar in bars for v in (bar.spread.least, bar.spread.most)]
        values += [] if chart.goal is None else [chart.goal]
        self._log = chart.log
        self._most = max(values, default=1.0) or 1.0
        # Half of the least value, so that the shortest bar can be seen.
        self._least = min((value for value in values if value > 0), default=1.0) / 2

    def x(self, value: float) -> float:
        room = WIDTH - LEFT - RIGHT
        if not self._log:
            return LEFT + room * value / self._most
        span = math.log10(self._most / self._least) or 1.0
        return LEFT + room * max(0.0, math.log10(max(value, self._least) / self._least) / span)


def _lines(chart: LineChart) -> str:
    numbers = colours(chart)
    points = max((len(values) for values in chart.lines.values()), default=1)
    most = max((value for values in chart.lines.values() for value in values), default=1.0) or 1.0
    room, parts = WIDTH - AXIS - LEFT, list[str]()
    for tick in range(TICKS + 1):
        value, y = most * tick / TICKS, HEAD + PLOT_HEIGHT * (1 - tick / TICKS)
        parts.append(f'<line x1="{AXIS}" y1="{y:.1f}" x2="{WIDTH - LEFT}" y2="{y:.1f}" class="grid"/>')
        parts.append(
            f'<text x="{AXIS - 6}" y="{y + 4:.1f}" class="value" text-anchor="end">{shown(value)}</text>'
        )
    for name, values in chart.lines.items():
        number = numbers[name.removesuffix(" control")]
        style = f"l{number}" + (" dashed" if name.endswith(" control") else "")
        places = [
            f"{AXIS + room * place / max(1, points - 1):.1f},{HEAD + PLOT_HEIGHT * (1 - value / most):.1f}"
            for place, value in enumerate(values)
        ]
        parts.append(
            f'<polyline points="{" ".join(places)}" class="line {style}"><title>{escape(name)}</title></polyline>'
        )
    seconds = chart.step * (points - 1)
    bottom = HEAD + PLOT_HEIGHT + 18
    parts.append(f'<text x="{AXIS}" y="{bottom}" class="value">{escape(chart.begin)}</text>')
    parts.append(
        f'<text x="{WIDTH - LEFT}" y="{bottom}" class="value" text-anchor="end">{seconds:g} {escape(chart.end)}</text>'
    )
    return _svg(chart.title, bottom + 6, parts)


def _svg(title: str, height: float, parts: list[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
    return head + "".join(parts) + "</svg>"
