"""`pgqueue schedules`: list, show, explain, set, pause, resume, delete, fire."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from pgqueue.cli import schedule_words as words
from pgqueue.cli.command import Group
from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.output import print_json, print_rows, printable
from pgqueue.cli.send import parse as parse_json
from pgqueue.cli.values import Seconds
from pgqueue.message import calls as message_calls
from pgqueue.schedule import calls, cron
from pgqueue.schedule.model import CatchUp, Options, Resumed, ScheduleInfo

if TYPE_CHECKING:
    from pgqueue.client.sync import PgQueue

_FOR_PEOPLE = ("name", "state", "queue", "cron", "timezone", "next_at", "last_slot", "why")


@click.group("schedules", cls=Group)
def command() -> None:
    """Schedules: cron rules, each of whose slots is sent as a message, once.

    They are fired by `pgqueue consume` and `pgqueue maintain`, any number of them.

    \b
    Example:
      pgqueue schedules set nightly reports '{"task": "reports.nightly"}' --cron "30 2 * * *"
      pgqueue schedules show nightly
      pgqueue schedules explain "0 9 * * MON-FRI" --timezone Europe/Berlin
      pgqueue schedules pause nightly --why "the warehouse is moved"
    """


@command.command("list")
@dsn_option
@json_option
def list_command(*, dsn: str | None, as_json: bool) -> None:
    """Show up to 1,000 schedules, by name, with their next slots.

    One that is late has been due for over a minute: does a scheduler run? One that is new was not seen by any yet.

    \b
    Example:
      pgqueue schedules list --json
    """
    with open_client(dsn) as client:
        rows = [words.facts(info) for info in client.run(calls.schedules())]
    print_rows(rows, ScheduleInfo._fields if as_json else _FOR_PEOPLE, as_json=as_json, empty="no schedules")


@command.command("show")
@click.argument("name")
@dsn_option
@json_option
def show_command(*, name: str, dsn: str | None, as_json: bool) -> None:
    """Show one schedule: its rule in words, its state, its next slots.

    \b
    Example:
      pgqueue schedules show nightly
    """
    with open_client(dsn) as client:
        info = _find(client, name)
        now = client.run(calls.database_clock())
    facts = {key: value for key, value in words.facts(info).items() if key != "why"}
    rule = words.rule_of(info)
    slots = [] if rule is None else words.next_slots(rule, info, now)
    if as_json:
        print_json(facts | {"next": [slot.isoformat() for slot in slots]})
        return
    click.echo(printable(words.told(info)))
    if rule is not None:
        click.echo(printable(cron.in_words(rule)))
    rows = [{"name": name, "value": value} for name, value in facts.items() if value is not None]
    print_rows(rows, ("name", "value"), as_json=False, empty="")
    if rule is not None:
        words.print_slots(rule, slots)


@command.command("explain")
@click.argument("rule")
@click.option("--timezone", default="UTC", show_default=True, help="UTC or Area/City.")
@json_option
def explain_command(*, rule: str, timezone: str, as_json: bool) -> None:
    """Say in words when a cron RULE fires, and its next slots. Asks no database.

    \b
    Example:
      pgqueue schedules explain "30 2 * * *" --timezone Europe/Berlin
    """
    parsed = cron.parse(rule, timezone)
    slots = cron.next_slots(parsed, datetime.now(UTC), words.SHOWN)
    if as_json:
        next_slots = [slot.isoformat() for slot in slots]
        print_json(
            {"cron": parsed.text, "timezone": timezone, "words": cron.in_words(parsed), "next": next_slots}
        )
        return
    click.echo(cron.in_words(parsed))
    words.print_slots(parsed, slots)


@command.command("set")
@click.argument("name")
@click.argument("queue")
@click.argument("message")
@click.option(
    "--cron", "rule", required=True, metavar="RULE", help="Minute, hour, day of month, month, day of week."
)
@click.option(
    "--timezone", default="UTC", show_default=True, help="UTC or Area/City, whose wall clock counts."
)
@click.option(
    "--catch-up",
    type=click.Choice([str(policy) for policy in CatchUp]),
    default=str(CatchUp.LATEST),
    show_default=True,
    help="Which slots are sent that were missed, because no scheduler ran.",
)
@click.option(
    "--catch-up-most",
    default=100,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="With all: the newest so many.",
)
@click.option(
    "--jitter",
    type=Seconds(),
    default=0.0,
    show_default=True,
    help="Fire each slot up to so much later; up to 3600.",
)
@click.option("--headers", metavar="JSON", help="A JSON object kept beside each message.")
@click.option(
    "--group-key", help="Messages of one group are handled one at a time: runs never overlap (kind row)."
)
@click.option(
    "--priority", default=0, show_default=True, type=click.IntRange(0, 9), help="Higher is read first."
)
@dsn_option
@json_option
def set_command(*, name: str, queue: str, message: str, rule: str, **given: Any) -> None:
    """Make a schedule, or make the one of this NAME so.

    At each slot of its rule it sends MESSAGE, a JSON value, to QUEUE. A new rule begins with its first slot to come. The
    same call again changes nothing.

    \b
    Example:
      pgqueue schedules set nightly reports '{"task": "reports.nightly"}' --cron "30 2 * * *"
      pgqueue schedules set tick orders '{"task": "orders.tick"}' --cron "*/5 * * * *" --catch-up skip
    """
    headers = None if given["headers"] is None else parse_json(given["headers"], "--headers")
    sending = message_calls.send(
        queue,
        parse_json(message, "MESSAGE"),
        headers=headers,
        group_key=given["group_key"],
        priority=given["priority"],
    )
    options = Options(given["timezone"], given["catch_up"], given["catch_up_most"], given["jitter"])
    call = calls.set_schedule(name, rule, sending, options)
    with open_client(given["dsn"]) as client:
        change = client.run(call)
    _tell({"name": name, "change": str(change)}, f"schedule {name} is {change}", as_json=given["as_json"])


@command.command("pause")
@click.argument("name")
@click.option("--why", required=True, metavar="TEXT", help="Shown to whoever asks why it doesn't fire.")
@dsn_option
@json_option
def pause_command(*, name: str, why: str, dsn: str | None, as_json: bool) -> None:
    """Fire no slot of a schedule until it is resumed. Paused again: the new reason counts.

    \b
    Example:
      pgqueue schedules pause nightly --why "the warehouse is moved"
    """
    with open_client(dsn) as client:
        if not client.run(calls.pause_schedule(name, why)):
            _find(client, name)
    _tell({"name": name, "paused": True}, f"schedule {name} is paused", as_json=as_json)


@command.command("resume")
@click.argument("name")
@dsn_option
@json_option
def resume_command(*, name: str, dsn: str | None, as_json: bool) -> None:
    """Let a paused or disabled schedule go on.

    It goes on with its first slot to come. One that is active is no error.

    \b
    Example:
      pgqueue schedules resume nightly
    """
    with open_client(dsn) as client:
        resumed = client.run(calls.resume_schedule(name))
        if resumed is Resumed.UNKNOWN:
            _find(client, name)
    told = "is resumed" if resumed is Resumed.RESUMED else "was neither paused nor disabled"
    _tell({"name": name, "resumed": resumed is Resumed.RESUMED}, f"schedule {name} {told}", as_json=as_json)


@command.command("delete")
@click.argument("name")
@dsn_option
@json_option
def delete_command(*, name: str, dsn: str | None, as_json: bool) -> None:
    """Remove a schedule.

    What it has sent stays. Deleting one that isn't there is no error.

    \b
    Example:
      pgqueue schedules delete nightly
    """
    with open_client(dsn) as client:
        deleted = client.run(calls.delete_schedule(name))
    told = f"schedule {name} is deleted" if deleted else f"there was no schedule {name}"
    _tell({"name": name, "deleted": deleted}, told, as_json=as_json)


@command.command("fire")
@click.argument("name")
@dsn_option
@json_option
def fire_command(*, name: str, dsn: str | None, as_json: bool) -> None:
    """Send the message of a schedule now.

    Whatever its state; its slots come as ever. Prints the msg_id.

    \b
    Example:
      pgqueue schedules fire nightly
    """
    with open_client(dsn) as client:
        msg_id = client.run(calls.fire_schedule_now(name))
        if msg_id is None:
            _find(client, name)
    _tell({"name": name, "msg_id": msg_id}, str(msg_id), as_json=as_json)


def _find(client: PgQueue, name: str) -> ScheduleInfo:
    """Return a schedule. One that isn't there is answered with the names that are near."""
    if found := client.run(calls.schedules(name)):
        return found[0]
    near = get_close_matches(name, [info.name for info in client.run(calls.schedules())], n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise click.ClickException(f"there is no schedule {name}. {hint}`pgqueue schedules list` shows all.")


def _tell(facts: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        click.echo(printable(sentence))
