"""`pgqueue queues`: list, create, configure, show, purge, drop; pause and resume."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pgqueue.cli.command import Group
from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.output import print_json, print_rows
from pgqueue.cli.pauses import pause_command, pause_facts, resume_command
from pgqueue.cli.streams import can_ask
from pgqueue.cli.values import Setting
from pgqueue.queue.rules import KINDS

if TYPE_CHECKING:
    from pgqueue.client.sync import PgQueue
    from pgqueue.queue.model import QueueSettings

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
    "paused",
)


@click.group("queues", cls=Group)
def command() -> None:
    """List queues, make them, change their settings, pause, empty and drop them.

    \b
    Example:
      pgqueue queues list
      pgqueue queues create orders --set vt=180 --set health_stale=240
      pgqueue queues configure orders --set max_reads=10
      pgqueue queues configure mails --set rate_limit=10 --set max_in_flight=5
      pgqueue queues pause mails --why "the mail server is down"
      pgqueue queues show orders
    """


command.add_command(pause_command)
command.add_command(resume_command)

_set_option = click.option(
    "--set",
    "settings",
    type=Setting(),
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting, such as vt=60; may be repeated. Durations are seconds.",
)
_yes_option = click.option("--yes", is_flag=True, help="Don't ask. Needed where nobody can be asked.")


@command.command("list")
@dsn_option
@json_option
def list_command(*, dsn: str | None, as_json: bool) -> None:
    """Show every queue and how many messages it holds.

    Counts are exact up to 10,000 messages; beyond that depth is an estimate and approx is true.

    \b
    Example:
      pgqueue queues list --json
    """
    with open_client(dsn) as client:
        rows = [info._asdict() | {"paused": pause_facts(info.paused)} for info in client.list_queues()]
    if not as_json:
        for row in rows:
            row["paused"] = row["paused"] and row["paused"]["why"]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no queues; make one with: pgqueue queues create NAME")


@command.command("show")
@click.argument("queue")
@dsn_option
@json_option
def show_command(*, queue: str, dsn: str | None, as_json: bool) -> None:
    """Show one queue: depth, age, pause, every setting in force.

    \b
    Example:
      pgqueue queues show orders
    """
    with open_client(dsn) as client:
        info = client.metrics(queue)[0]
    facts = {**info._asdict(), "settings": _shown(info.settings), "paused": pause_facts(info.paused)}
    if as_json:
        print_json(facts)
        return
    apart = ("settings", "paused")
    rows = [{"name": name, "value": value} for name, value in facts.items() if name not in apart]
    rows += [{"name": f"paused {name}", "value": value} for name, value in (facts["paused"] or {}).items()]
    rows += [{"name": f"setting {name}", "value": value} for name, value in facts["settings"].items()]
    print_rows(rows, ("name", "value"), as_json=False, empty="")


@command.command("create")
@click.argument("queue")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="How messages are stored: row for groups and filters. Default: log.",
)
@_set_option
@dsn_option
@json_option
def create_command(
    *, queue: str, kind: str | None, settings: tuple[tuple[str, Any], ...], dsn: str | None, as_json: bool
) -> None:
    """Make a queue. The same call again changes nothing.

    A name has 1 to 47 characters: a letter a-z, then letters a-z, digits and underscores.

    \b
    Example:
      pgqueue queues create orders
      pgqueue queues create orders --set vt=180 --set health_stale=240
      pgqueue queues create mails --set rate_limit=10 --set max_in_flight=5
    """
    with open_client(dsn) as client:
        client.create_queue(queue, kind, _each_once(settings))
    _tell({"queue": queue, "there": True}, f"queue {queue} is there", as_json=as_json)


@command.command("configure")
@click.argument("queue")
@_set_option
@dsn_option
@json_option
def configure_command(
    *, queue: str, settings: tuple[tuple[str, Any], ...], dsn: str | None, as_json: bool
) -> None:
    """Change settings and print the ones in force. Running consumers take them over within seconds.

    VALUE null sets back to the default.

    \b
    Example:
      pgqueue queues configure orders --set max_reads=10 --set batch=null
    """
    with open_client(dsn) as client:
        effective = _shown(client.configure_queue(queue, _each_once(settings)))
    if as_json:
        print_json(effective)
    else:
        rows = [{"setting": name, "value": value} for name, value in effective.items()]
        print_rows(rows, ("setting", "value"), as_json=False, empty="")


@command.command("purge")
@click.argument("queue")
@_yes_option
@dsn_option
@json_option
def purge_command(*, queue: str, yes: bool, dsn: str | None, as_json: bool) -> None:
    """Remove every message that waits or runs.

    The archive and the dead letters stay. Asks for the name of the queue and says what it holds.

    \b
    Example:
      pgqueue queues purge orders
      pgqueue queues purge orders --yes
    """
    with open_client(dsn) as client:
        if not yes:
            _ask_for_name(client, "purge", queue)
        removed = client.purge_queue(queue)
    _tell({"queue": queue, "removed": removed}, f"{removed} messages removed from {queue}", as_json=as_json)


@command.command("drop")
@click.argument("queue")
@click.option("--force", is_flag=True, help="Also when it holds messages or dead letters: they are lost.")
@_yes_option
@dsn_option
@json_option
def drop_command(*, queue: str, force: bool, yes: bool, dsn: str | None, as_json: bool) -> None:
    """Drop a queue with its archive. One that holds messages or dead letters is only dropped with --force.

    Asks for the name of the queue and says what it holds. Dropping a queue that isn't there is no error.

    \b
    Example:
      pgqueue queues drop orders
      pgqueue queues drop orders --force --yes
    """
    with open_client(dsn) as client:
        if not yes:
            _ask_for_name(client, "drop", queue)
        dropped = client.drop_queue(queue, force=force)
    told = f"queue {queue} is dropped" if dropped else f"there was no queue {queue}"
    _tell({"queue": queue, "dropped": dropped}, told, as_json=as_json)


def _each_once(settings: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    given = dict(settings)
    if len(given) < len(settings):
        raise click.UsageError("a setting is given twice")
    return given


def _shown(settings: QueueSettings) -> dict[str, Any]:
    return asdict(settings) | {"backoff": settings.backoff._asdict()}


def _ask_for_name(client: PgQueue, verb: str, queue: str) -> None:
    """Let the name be typed, after saying what the queue holds; anything else ends the command."""
    if not can_ask():
        raise click.UsageError(f"{verb} needs --yes where nobody can be asked; nothing was changed")
    info = client.metrics(queue)[0]
    held = f"{queue} holds {info.depth} messages ({info.in_flight} in flight) and {info.dead} dead letters."
    typed = click.prompt(f"{held}\nType its name to {verb} it", err=True)
    if typed != queue:
        raise click.UsageError(f"{typed!r} is not {queue!r}; nothing was changed")


def _tell(facts: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        click.echo(sentence)
