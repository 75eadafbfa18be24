"""`python -m benchmarks`: measure, print, write benchmarks/results/latest.md."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import report
from benchmarks.cells import GROUPS, Cell, cells
from benchmarks.measure import Bench, Sample
from benchmarks.server import Server, given_server, own_server
from benchmarks.systems import System, install


def run(server: Server, chosen: Sequence[Cell], rounds: int, seconds: float) -> list[Sample]:
    """Install everything, probe once, then go round and round: in each cell one system after the other."""
    with server.connect() as connection:
        install(server.conninfo, connection)
        bench = Bench(server, connection, seconds)
        with _progress() as progress:
            task = progress.add_task(
                "probing", total=(rounds + 1) * sum(len(cell.systems) for cell in chosen)
            )
            samples = []
            for number in range(rounds + 1):
                for cell in chosen:
                    progress.update(task, description=f"round {number}: {cell.name}" if number else "probing")
                    for system in _turned(cell.systems, number):
                        if number:
                            samples.append(bench.sample(cell, system, number))
                        else:
                            bench.probe(cell, system)
                        progress.advance(task)
        return samples


def _turned(systems: tuple[System, ...], number: int) -> tuple[System, ...]:
    """Let another system go first in each round."""
    place = number % len(systems)
    return systems[place:] + systems[:place]


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _groups(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    chosen = tuple(value.split(",")) if value else GROUPS
    unknown = sorted(set(chosen) - set(GROUPS))
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)} is not one of {', '.join(GROUPS)}")
    return chosen


@click.command(context_settings={"max_content_width": 100})
@click.option(
    "--full",
    is_flag=True,
    help="More clients, inline statements as reference points; about half an hour.",
)
@click.option("--only", callback=_groups, help=f"Some of {','.join(GROUPS)}, separated by commas.")
@click.option("--rounds", type=click.IntRange(1), help="Default 3, with --full 5.")
@click.option(
    "--seconds", type=click.FloatRange(0.05), help="Length of one sample. Default 0.5, with --full 3."
)
@click.option(
    "--dsn", help="Use this server instead of one of our own; the role must be superuser (checkpoints)."
)
def main(
    *, full: bool, only: tuple[str, ...], rounds: int | None, seconds: float | None, dsn: str | None
) -> None:
    """Compare the engine with pgmq's SQL and with a bare table, side by side.

    Tables go to stdout and to benchmarks/results/, progress to stderr.
    """
    rounds = rounds or (5 if full else 3)
    seconds = seconds or (3.0 if full else 0.5)
    chosen = cells(full=full, groups=only)
    begin = time.monotonic()
    with given_server(dsn) if dsn else own_server() as server:
        facts = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **server.facts()}
        samples = run(server, chosen, rounds, seconds)
    facts |= {
        "rounds": str(rounds),
        "seconds a sample": str(seconds),
        "took": f"{time.monotonic() - begin:.0f} s",
    }
    tables = report.Results(samples).tables(chosen)
    report.show(tables, facts)
    for path in report.write(tables, samples, facts):
        click.echo(f"written: {path}", err=True)


if __name__ == "__main__":
    main()
