"""The report says which bars are met, and the page needs nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.bars import BARS, bar_table
from benchmarks.charts import Bar, BarChart, LineChart
from benchmarks.page import Section, page
from benchmarks.parts.catalogue import PARTS
from benchmarks.ratios import Results, Spread
from benchmarks.report import render
from benchmarks.sample import Run, Sample, write_part
from benchmarks.svg import WIDTH, colours, draw
from benchmarks.tables import Table

CASE = "send 1, 8 clients, sync"


def results(log: float, pgmq: float) -> Results:
    rates = {"log": log, "pgmq": pgmq}
    return Results(Sample("engine", CASE, system, 1, {"rate": rate}) for system, rate in rates.items())


def parsed(chart: BarChart | LineChart) -> ET.Element:
    return ET.fromstring(draw(chart))  # noqa: S314 - text of our own


@pytest.mark.parametrize(("log", "verdict"), [(15, "1.50 met"), (14, "1.40 MISSED")])
def test_a_bar_is_met_or_missed(log: float, verdict: str) -> None:
    table = bar_table({"engine": results(log, 10)})
    assert table.rows == [("send, 8 clients, against pgmq", "≥ 1.5x", verdict, "-")]


def test_bars_of_an_upper_limit_turn_round() -> None:
    bar = next(bar for bar in BARS if bar.part == "wal")
    assert bar.met(Spread(449, 449, 449, 1))
    assert not bar.met(Spread(451, 451, 451, 1))


def test_every_bar_belongs_to_a_part() -> None:
    assert {bar.part for bar in BARS} <= {part.name for part in PARTS}


@pytest.mark.parametrize("log", [False, True])
def test_bars_are_drawn_as_valid_svg(log: bool) -> None:
    bars = [Bar("log", Spread(2, 1, 3, 3)), Bar("a<b", Spread(0.5, 0.5, 0.5, 1))]
    drawn = parsed(BarChart("t & u", "x", [("case", bars)], goal=1.0, log=log))
    widths = [float(rect.get("width") or 0) for rect in drawn.iter("rect")]
    assert widths[0] > widths[1] > 0
    assert all(
        float(rect.get("x") or 0) + width <= WIDTH
        for rect, width in zip(drawn.iter("rect"), widths, strict=True)
    )


def test_lines_are_drawn_and_a_control_is_dashed() -> None:
    drawn = parsed(LineChart("t", "x", 10, {"log": [1, 2, 3], "log control": [3, 3, 3]}))
    classes = [line.get("class") for line in drawn.iter("polyline")]
    assert classes == ["line l0", "line l0 dashed"]


def test_a_system_has_the_same_colour_in_every_chart() -> None:
    spread = Spread(1, 1, 1, 1)
    first = BarChart("t", "x", [("c", [Bar("other", spread), Bar("row", spread)])])
    second = LineChart("t", "x", 10, {"row": [1], "row control": [1], "log": [2]})
    assert colours(first)["row"] == colours(second)["row"]
    assert len(set(colours(first).values())) == 2


def test_the_page_needs_nothing_from_elsewhere() -> None:
    chart = BarChart("t", "x", [("c", [Bar("log", Spread(1, 1, 1, 1))])])
    table = Table("t", ("", "a"), [("<row>", "1.00 MISSED")])
    text = page(table, [Section("engine", "about", ["fact"], [chart], [table])])
    assert not re.findall(r"<script|<link|<img|@import|src=|https?:", text)
    assert "&lt;row&gt;" in text
    assert '<td class="miss">1.00 MISSED</td>' in text


def test_a_folder_is_rendered_with_what_is_there(tmp_path: Path) -> None:
    samples = [
        Sample("engine", CASE, "log", 1, {"rate": 20.0}),
        Sample("engine", CASE, "pgmq", 1, {"rate": 10.0}),
    ]
    write_part(tmp_path / "engine.json", Run({"machine": "2 x something"}, samples))
    render(tmp_path, tmp_path / "page" / "index.html")
    assert "| send 1, 8 clients, sync | 2.00 |" in (tmp_path / "report.md").read_text()
    assert "2 x something" in (tmp_path / "page" / "index.html").read_text()
