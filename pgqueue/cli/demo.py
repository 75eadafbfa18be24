"""`pgqueue demo`: run the example that shows the main job on real input."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from pgqueue.cli.database import direct_conninfo, dsn_option
from pgqueue.cli.exit_code import FAILED
from pgqueue.errors import ConfigurationError


@click.command("demo")
@dsn_option
@click.option(
    "--files", "limit", type=click.IntRange(min=20), help="Only so many files. Default: all, some 1,700."
)
def command(*, dsn: str | None, limit: int | None) -> None:
    """See the main job on real input, in about a minute.

    Every .py file of this interpreter's standard library becomes a message, sent in one transaction with rows of the
    example's own table. Two consumers parse the files; one is killed with SIGKILL half-way, and nothing is lost. Files that
    don't parse end in the dead letters.

    Makes the queue demo_census and the schema pgqueue_demo anew each time, and leaves them for you to look at.
    """
    folder = _examples() / "stdlib_census"
    sys.path.insert(0, str(folder))
    show = importlib.import_module("show")
    if not show.main(direct_conninfo(dsn), limit):
        click.get_current_context().exit(FAILED)


def _examples() -> Path:
    """Return the folder of examples: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_examples", package.parent / "examples"):
        if candidate.is_dir():
            return candidate
    raise ConfigurationError(
        "the examples are missing from this installation", cure="Install the package again."
    )
