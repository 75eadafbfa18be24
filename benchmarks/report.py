"""The report of a folder of samples: Markdown, and a page with charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.bars import bar_table
from benchmarks.page import Section, page
from benchmarks.parts.catalogue import PARTS
from benchmarks.ratios import Results
from benchmarks.sample import Run, read_folder, samples_of
from benchmarks.tables import show


def render(folder: Path, target: Path, *, show_parts: Sequence[str] = ()) -> None:
    """Write report.md beside the samples and the page to `target`; print the tables of `show_parts`."""
    runs = read_folder(folder)
    results = {
        part.name: Results(samples_of(runs[part.name]), part.known) for part in PARTS if runs.get(part.name)
    }
    sections = []
    for part in PARTS:
        if part.name in results:
            found = results[part.name]
            tables = [table for table in part.tables(found) if table.rows]
            sections.append(
                Section(part.name, part.about, facts_of(runs[part.name]), part.charts(found), tables)
            )
    bars = bar_table(results)
    for section in sections:
        if section.name in show_parts:
            for table in section.tables:
                show(table)
    if bars.rows and len(show_parts) != 1:
        show(bars)
    folder.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = ["# Benchmark results", "", "How to read this: docs/benchmarks.md.", "", bars.markdown()]
    for section in sections:
        text += ["", f"## {section.name}", "", section.about, "", *(f"- {fact}" for fact in section.facts)]
        text += [line for table in section.tables for line in ("", table.markdown())]
    (folder / "report.md").write_text("\n".join(text) + "\n")
    target.write_text(page(bars, sections))


def facts_of(runs: Sequence[Run]) -> list[str]:
    """One line a run."""
    return [", ".join(f"{name} {value}" for name, value in run.facts.items()) for run in runs]
