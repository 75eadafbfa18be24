"""`pgqueue queues`: list, create, configure, show, purge, drop."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click
import orjson

from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.output import print_json, print_rows

_COLUMNS = (
    "queue",
    "kind",
    "depth",
    "ready",
    "delayed",
    "in_flight",
    "retrying",
    "approx",
    "dead",
    "oldest_at",
)


@click.group("queues")
def command() -> None:
    """Look at queues and change them.

    \b
    Examples:
      pgqueue queues list
      pgqueue queues create orders --set vt=180 --set health_stale=240
      pgqueue queues configure orders --set max_reads=10
      pgqueue queues show orders
    """


class Setting(click.ParamType[tuple[str, Any]]):
    """NAME=VALUE, where VALUE is JSON or else a string."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        name, separator, text = str(value).partition("=")
        if not separator:
            self.fail(f"{value!r} is not NAME=VALUE, such as vt=60", param, ctx)
        try:
            return name, orjson.loads(text)
        except orjson.JSONDecodeError:
            return name, text


_set_option = click.option(
    "--set", "settings", type=Setting(), multiple=True, help="A setting, such as vt=60; null resets."
)


@command.command("list")
@dsn_option
@json_option
def list_command(*, dsn: str | None, as_json: bool) -> None:
    """Show every queue with its depth."""
    with open_client(dsn) as client:
        rows = [info._asdict() for info in client.list_queues()]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no queues; make one with: pgqueue queues create NAME")


@command.command("show")
@click.argument("queue")
@dsn_option
@json_option
def show_command(*, queue: str, dsn: str | None, as_json: bool) -> None:
    """Show one queue: depth, age, and every setting in force."""
    with open_client(dsn) as client:
        info = client.metrics(queue)[0]
    facts = {**info._asdict(), "settings": asdict(info.settings)}
    if as_json:
        print_json(facts)
        return
    rows = [{"name": name, "value": value} for name, value in facts.items() if name != "settings"]
    rows += [{"name": f"setting {name}", "value": value} for name, value in facts["settings"].items()]
    print_rows(rows, ("name", "value"), as_json=False, empty="")


@command.command("create")
@click.argument("queue")
@click.option("--kind", type=click.Choice(["row"]), help="How messages are stored. Default: row.")
@_set_option
@dsn_option
def create_command(
    *, queue: str, kind: str | None, settings: tuple[tuple[str, Any], ...], dsn: str | None
) -> None:
    """Make a queue. The same call again changes nothing."""
    with open_client(dsn) as client:
        client.create_queue(queue, kind, dict(settings))
    click.echo(f"queue {queue} is there")


@command.command("configure")
@click.argument("queue")
@_set_option
@dsn_option
@json_option
def configure_command(
    *, queue: str, settings: tuple[tuple[str, Any], ...], dsn: str | None, as_json: bool
) -> None:
    """Change settings and print the ones in force."""
    with open_client(dsn) as client:
        effective = asdict(client.configure_queue(queue, dict(settings)))
    if as_json:
        print_json(effective)
    else:
        rows = [{"setting": name, "value": value} for name, value in effective.items()]
        print_rows(rows, ("setting", "value"), as_json=False, empty="")


def _confirm(what: str, queue: str, *, yes: bool) -> None:
    """Ask for the queue's name; without a terminal --yes is needed."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what} needs --yes where nobody can be asked")
    if click.prompt(f"Type the name of the queue to {what} it") != queue:
        raise click.UsageError("the names differ; nothing was changed")


@command.command("purge")
@click.argument("queue")
@click.option("--yes", is_flag=True, help="Don't ask.")
@dsn_option
def purge_command(*, queue: str, yes: bool, dsn: str | None) -> None:
    """Remove every message that waits or runs; archive and dead letters stay."""
    _confirm("purge", queue, yes=yes)
    with open_client(dsn) as client:
        click.echo(f"{client.purge_queue(queue)} messages removed from {queue}")


@command.command("drop")
@click.argument("queue")
@click.option("--force", is_flag=True, help="Also when it holds messages or dead letters.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@dsn_option
def drop_command(*, queue: str, force: bool, yes: bool, dsn: str | None) -> None:
    """Drop a queue with its archive and dead letters."""
    _confirm("drop", queue, yes=yes)
    with open_client(dsn) as client:
        dropped = client.drop_queue(queue, force=force)
    click.echo(f"queue {queue} is dropped" if dropped else f"there was no queue {queue}")
