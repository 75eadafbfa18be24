"""`pgqueue demo`: run the examples that show the main job on real input."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from pgqueue import __version__
from pgqueue.cli.command import Command
from pgqueue.cli.database import direct_conninfo, dsn_option
from pgqueue.cli.exit_code import FAILED
from pgqueue.errors import ConfigurationError
from pgqueue.settings import find_dsn

EXAMPLES = ("census", "orchestration")


@click.command("demo", cls=Command)
@click.argument("example", type=click.Choice(EXAMPLES), required=False, metavar="[census|orchestration]")
@dsn_option
@click.option(
    "--files",
    "limit",
    type=click.IntRange(min=20),
    help="Of the census: only the first so many and those that don't parse. Default: all, some 1,700.",
)
def command(*, example: str | None, dsn: str | None, limit: int | None) -> None:
    """See the main job on real input, in about a minute: the census, then the orchestration in brief.

    census: every .py file of this interpreter's standard library becomes a message, sent in one transaction with rows of the
    example's own table. Two consumers parse the files; one is killed with SIGKILL half-way, and nothing is lost. Files that
    don't parse end in the dead letters.

    orchestration: six executions are fanned out into files, gathered by a barrier, completed and billed, while orchestrators
    and callbacks are killed. Each effect takes place once.

    Makes the queues demo_census, demo_jobs, demo_files and the schemas pgqueue_demo, pgqueue_walk anew each time, and leaves
    them for you to look at.

    \b
    Example:
      pgqueue demo
      pgqueue demo orchestration
      pgqueue demo --files 200 --dsn postgresql://me@localhost/scratch
    """
    if example == "orchestration" and limit is not None:
        raise click.UsageError("--files belongs to the census")
    conninfo = direct_conninfo(dsn)
    _migrate(conninfo)
    fine = True
    if example != "orchestration":
        fine = _module("stdlib_census", "show").main(conninfo, limit, psql=_psql(dsn))
    if example != "census":
        fine &= _module("orchestration", "walk").main(conninfo, brief=example is None)
    if not fine:
        click.get_current_context().exit(FAILED)


def _module(folder: str, name: str) -> Any:
    """Import a script of an example, which finds those beside it."""
    sys.path.insert(0, str(_examples() / folder))
    return importlib.import_module(name)


def _migrate(conninfo: str) -> None:
    from pgqueue.db.script import open_script  # noqa: PLC0415 - psycopg is imported only when needed
    from pgqueue.migrate import apply  # noqa: PLC0415

    plan = apply.migrate(functools.partial(open_script, conninfo), package_version=__version__)
    click.echo("\n".join(plan.lines()), err=True)


def _psql(dsn: str | None) -> str:
    """Say how to reach the tables by hand, without a password on the screen."""
    found = find_dsn(dsn, os.environ)
    if found.is_embedded:
        return 'psql "$(pgqueue embedded dsn)"'
    if found.source.startswith("PG"):
        return "psql" if not found.conninfo else f'psql "${found.source}"'
    return f"psql with the DSN from {found.source}"


def _examples() -> Path:
    """Return the folder of examples: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_examples", package.parent / "examples"):
        if candidate.is_dir():
            return candidate
    raise ConfigurationError(
        "the examples are missing from this installation", cure="Install the package again."
    )
