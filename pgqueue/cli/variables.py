"""Environment variables that are spelt like ours and that nobody reads."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pgqueue.settings import unknown_variables

EMBEDDED_VARIABLES = ("PGQUEUE_EMBEDDED_DIR", "PGQUEUE_EMBEDDED_IDLE_SECONDS", "PGQUEUE_PG_BIN")


def unread_variables(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the PGQUEUE_* variables that no command reads, each with the nearest that one does."""
    if not unknown_variables(environ, EMBEDDED_VARIABLES):
        return {}
    # Its options have variables; imported only for the doubtful case.
    from pgqueue.cli.consume import command  # noqa: PLC0415

    options = {str(option.envvar) for option in command.params if option.envvar}
    return unknown_variables(environ, {*EMBEDDED_VARIABLES, *options})


def warn_of_misspelt_variables(environ: Mapping[str, str]) -> None:
    """Say which variable was probably meant.

    One that resembles none of ours is passed over: Kubernetes sets addresses of that prefix for a service
    named pgqueue.
    """
    for name, nearest in unread_variables(environ).items():
        if nearest:
            click.echo(f"pgqueue: nothing reads the variable {name}; did you mean {nearest}?", err=True)
