"""`pgqueue embedded`: the Postgres that pgqueue runs itself when no DSN is given."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import click

from pgqueue.cli.command import Group
from pgqueue.cli.database import json_option
from pgqueue.cli.output import print_json
from pgqueue.db import embedded

directory_option = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where it lives. Default: PGQUEUE_EMBEDDED_DIR, else the state directory of the user.",
)


@click.group("embedded", cls=Group, short_help="Start, stop and look at the built-in Postgres.")
def command() -> None:
    """The Postgres that pgqueue runs itself when no DSN is given.

    All your processes share one server. It starts when the first of them needs it, stops a few seconds after
    the last one has gone, and keeps its data. These commands are only needed to look at it, to keep it
    running or to stop it.

    \b
    Example:
      psql "$(pgqueue embedded dsn)"
    """


@command.command()
@click.option("--listen", is_flag=True, help="Open a port on 127.0.0.1 too, for example for PgBouncer.")
@json_option
@directory_option
def start(*, listen: bool, as_json: bool, directory: Path | None) -> None:
    """Start the server and keep it until `stop`.

    It runs on also when nobody uses it.

    \b
    Example:
      pgqueue embedded start --listen
    """
    target = embedded.start(directory=directory, listen=listen)
    found = embedded.status(directory)
    if as_json:
        print_json(_facts(found) | {"dsn": target})
    else:
        port = f", 127.0.0.1:{found.port}" if found.listening else ""
        click.echo(f"Postgres {found.version} runs in {found.data_dir.parent} (pid {found.pid}{port}).")
        click.echo(f"Connect with: psql {shlex.quote(target)}")


@command.command()
@json_option
@directory_option
def stop(*, as_json: bool, directory: Path | None) -> None:
    """Stop the server, whoever uses it. The data stays.

    \b
    Example:
      pgqueue embedded stop
    """
    stopped = embedded.stop(directory)
    if as_json:
        print_json({"stopped": stopped})
    else:
        click.echo("Stopped." if stopped else "It wasn't running.")


@command.command()
@json_option
@directory_option
def status(*, as_json: bool, directory: Path | None) -> None:
    """Show whether it runs, where, how big it is and who uses it. Starts nothing.

    \b
    Example:
      pgqueue embedded status --json
    """
    found = embedded.status(directory)
    if as_json:
        print_json(_facts(found))
        return
    for name, value in _facts(found).items():
        click.echo(f"{name:<12}{_shown(value)}")


@command.command()
@click.option("--database", default="pgqueue", show_default=True, help="Created where it is missing.")
@click.option("--tcp", is_flag=True, help="Give 127.0.0.1 and a port instead of the socket.")
@json_option
@directory_option
def dsn(*, database: str, tcp: bool, as_json: bool, directory: Path | None) -> None:
    """Print a connection string, without the password. Starts the server where needed.

    The string names a file with the password, which libpq reads by itself. A server that isn't kept (see
    `start`) stops a few seconds after its last client has gone.

    \b
    Example:
      psql "$(pgqueue embedded dsn)"
    """
    target = embedded.dsn(database=database, directory=directory, tcp=tcp)
    if as_json:
        print_json({"dsn": target})
    else:
        click.echo(target)


def _facts(found: embedded.EmbeddedStatus) -> dict[str, object]:
    facts = dataclasses.asdict(found)
    return {name: str(value) if isinstance(value, Path) else value for name, value in facts.items()}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
