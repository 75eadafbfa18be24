"""`python -m benchmarks`: measure, keep the samples, render the report."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click

from benchmarks.parts import catalogue
from benchmarks.parts.catalogue import PARTS, Part
from benchmarks.plan import Plan
from benchmarks.report import render
from benchmarks.sample import Run, write_part
from benchmarks.server import machine_facts
from benchmarks.systems import pgmq_version

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks" / "index.html"


def measure(part: Part, plan: Plan, folder: Path) -> None:
    """Run one part and keep its samples in `folder`."""
    begin = time.monotonic()
    samples = part.run(plan)
    facts = machine_facts() | {"pgmq": pgmq_version()} | part.facts() | catalogue.facts_of(plan)
    facts |= {"took": f"{time.monotonic() - begin:.0f} s"}
    write_part(folder / f"{part.name}.json", Run(facts, samples))
    click.echo(f"written: {part.name}.json, {len(samples)} samples", err=True)


def _folder(*, full: bool) -> Path:
    return RESULTS / ("full" if full else "latest")


def _finish(folder: Path, *, full: bool, parts: Sequence[str] = ()) -> None:
    render(folder, PAGE if full else folder / "index.html", show_parts=parts)


def _systems(part: Part, text: str | None) -> tuple[str, ...]:
    if not text:
        return part.systems
    chosen = tuple(text.split(","))
    unknown = sorted(set(chosen) - set(part.known))
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: {part.name} knows {', '.join(part.known)}")
    return chosen


@click.group(context_settings={"max_content_width": 110})
def main() -> None:
    """Compare the engine, the client and the worker with others, side by side.

    Tables go to stdout and to benchmarks/results/, progress to stderr. Each part can be run alone.
    """
    # Like Ctrl-C: servers and workers are ended, their directories removed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _part_command(part: Part) -> click.Command:
    @click.command(part.name, help=f"{part.about}\n\nSystems: {', '.join(part.known)}.")
    @click.option("--full", is_flag=True, help="Full sizes and all cases; results go to results/full.")
    @click.option("--rounds", type=click.IntRange(1))
    @click.option("--seconds", type=click.FloatRange(0.05), help="Length of one sample.")
    @click.option("--systems", help=f"Some of them, separated by commas. Default: {','.join(part.systems)}.")
    @click.option("--dsn", help="A server to use instead of one of our own; the role must be superuser.")
    @click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help=part.options_help)
    def command(
        *,
        full: bool,
        rounds: int | None,
        seconds: float | None,
        systems: str | None,
        dsn: str | None,
        options: tuple[str, ...],
    ) -> None:
        if dsn and not part.takes_dsn:
            raise click.UsageError(f"{part.name} needs servers of its own: leave --dsn out")
        plan = part.plan(full=full).but(
            systems=_systems(part, systems), dsn=dsn, options=_options(part, options)
        )
        plan = plan.but(rounds=rounds or plan.rounds, seconds=seconds or plan.seconds)
        measure(part, plan, _folder(full=full))
        _finish(_folder(full=full), full=full, parts=(part.name,))

    return command


def _options(part: Part, given: tuple[str, ...]) -> dict[str, str]:
    found = dict(each.partition("=")[::2] for each in given)
    unknown = sorted(set(found) - set(part.options))
    if unknown:
        raise click.BadParameter(
            f"{', '.join(unknown)}: {part.name} has {part.options_help or 'no such options'}"
        )
    return found


for _each in PARTS:
    main.add_command(_part_command(_each))


@main.command()
def short() -> None:
    """Run the parts of `make bench`: at most three minutes."""
    for part in PARTS:
        if part.in_short:
            measure(part, part.plan(full=False), _folder(full=False))
    _finish(_folder(full=False), full=False, parts=[part.name for part in PARTS if part.in_short])


@main.command()
def full() -> None:
    """Run every part at full size: two hours. Renders docs/benchmarks/index.html."""
    for part in PARTS:
        for plan in part.full_plans():
            measure(part, plan, _folder(full=True))
            _finish(_folder(full=True), full=True)
    _finish(_folder(full=True), full=True, parts=[part.name for part in PARTS])


@main.command("render")
@click.option("--full", is_flag=True, help="From results/full into docs/benchmarks/.")
def render_command(*, full: bool) -> None:
    """Write tables and page again from the samples that are there."""
    _finish(_folder(full=full), full=full, parts=[part.name for part in PARTS])


if __name__ == "__main__":
    main()
