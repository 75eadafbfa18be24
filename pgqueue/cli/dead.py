"""`pgqueue dead`: list dead letters and send them again."""

from __future__ import annotations

import click

from pgqueue.cli.command import Group
from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.exit_code import FAILED, PARTIAL
from pgqueue.cli.output import print_json, print_rows
from pgqueue.cli.streams import can_ask

_COLUMNS = (
    "msg_id",
    "reason",
    "error",
    "read_ct",
    "release_ct",
    "priority",
    "group_key",
    "enqueued_at",
    "last_read_at",
    "holder",
    "died_at",
    "redriven_as",
    "redriven_at",
    "message",
    "headers",
    "broken",
)
_FOR_PEOPLE = ("msg_id", "reason", "error", "read_ct", "died_at", "message")


@click.group("dead", cls=Group)
def command() -> None:
    """Dead letters: what could not be handled, whole, with the reason.

    \b
    Example:
      pgqueue dead list orders
      pgqueue dead redrive orders 17 18
      pgqueue dead redrive orders --all --yes
    """


@command.command("list")
@click.argument("queue")
@click.option("--after", "after_id", default=0, metavar="MSG_ID", help="Go on after this id.")
@click.option("--qty", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--redriven", is_flag=True, help="Also those that were sent again.")
@dsn_option
@json_option
def list_command(
    *, queue: str, after_id: int, qty: int, redriven: bool, dsn: str | None, as_json: bool
) -> None:
    """Show dead letters with reason and error, by id.

    \b
    Example:
      pgqueue dead list orders
      pgqueue dead list orders --after 120 --qty 1000 --json
    """
    with open_client(dsn) as client:
        letters = client.dead_letters(queue, after_id=after_id, qty=qty, waiting_only=not redriven)
        if not letters:
            client.metrics(queue)  # the view has no rows of a misspelt queue either
    rows = [letter._asdict() for letter in letters]
    print_rows(
        rows, _COLUMNS if as_json else _FOR_PEOPLE, as_json=as_json, empty=f"no dead letters in {queue}"
    )


@command.command("redrive")
@click.argument("queue")
@click.argument("msg_ids", nargs=-1, type=int, metavar="[MSG_ID]...")
@click.option("--all", "every", is_flag=True, help="All that were not sent again before.")
@click.option("--yes", is_flag=True, help="Don't ask. Needed with --all where nobody can be asked.")
@dsn_option
@json_option
def redrive_command(
    *, queue: str, msg_ids: tuple[int, ...], every: bool, yes: bool, dsn: str | None, as_json: bool
) -> None:
    """Send dead letters again as new messages.

    The dead letters stay, and name the new messages.
    Ends with 6 when some ids are no dead letters of QUEUE or were sent again before; it names them.

    \b
    Example:
      pgqueue dead redrive orders 17 18
      pgqueue dead redrive orders --all --yes
    """
    if bool(msg_ids) == every:
        raise click.UsageError("name the ids, or say --all")
    if every and not yes:
        _confirm(queue)
    with open_client(dsn) as client:
        sent = client.redrive(queue, list(msg_ids) or None)
    if as_json:
        for old_id, new_id in sent.items():
            print_json({"old_id": old_id, "new_id": new_id})
    else:
        click.echo(f"{len(sent)} dead letters sent again")
        for old_id, new_id in sent.items():
            click.echo(f"  {old_id} -> {new_id}")
    if left := sorted(set(msg_ids) - set(sent)):
        named = ", ".join(map(str, left))
        click.echo(f"pgqueue: no dead letters of {queue}, or sent again before: {named}", err=True)
        click.get_current_context().exit(PARTIAL)


def _confirm(queue: str) -> None:
    if not can_ask():
        raise click.UsageError("--all needs --yes where nobody can be asked; nothing was changed")
    if not click.confirm(f"Send all dead letters of {queue} again?", err=True):
        click.echo("nothing was changed", err=True)
        click.get_current_context().exit(FAILED)
