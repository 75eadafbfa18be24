"""`pgqueue dead`: list dead letters and send them again."""

from __future__ import annotations

import sys

import click

from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.output import print_json, print_rows

_COLUMNS = (
    "msg_id",
    "reason",
    "error",
    "read_ct",
    "release_ct",
    "holder",
    "died_at",
    "redriven_as",
    "message",
    "headers",
)
_FOR_PEOPLE = ("msg_id", "reason", "error", "read_ct", "died_at", "message")


@click.group("dead")
def command() -> None:
    """Dead letters: what could not be handled, whole, with the reason.

    \b
    Examples:
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
    """Show dead letters by id."""
    from pgqueue.dead_letter import calls  # noqa: PLC0415

    with open_client(dsn) as client:
        letters = client.run(calls.dead_letters(queue, after_id=after_id, qty=qty, waiting_only=not redriven))
    rows = [letter._asdict() for letter in letters]
    print_rows(
        rows, _COLUMNS if as_json else _FOR_PEOPLE, as_json=as_json, empty=f"no dead letters in {queue}"
    )


@command.command("redrive")
@click.argument("queue")
@click.argument("msg_ids", nargs=-1, type=int)
@click.option("--all", "every", is_flag=True, help="All that were not sent again before.")
@click.option("--yes", is_flag=True, help="Don't ask; needed with --all where nobody can be asked.")
@dsn_option
@json_option
def redrive_command(
    *, queue: str, msg_ids: tuple[int, ...], every: bool, yes: bool, dsn: str | None, as_json: bool
) -> None:
    """Send dead letters again as new messages; the old rows stay and name the new ones."""
    if bool(msg_ids) == every:
        raise click.UsageError("name the ids, or say --all")
    if every and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("--all needs --yes where nobody can be asked")
        click.confirm(f"Send all dead letters of {queue} again?", abort=True)
    with open_client(dsn) as client:
        pairs = list(client.redrive(queue, list(msg_ids) or None).items())
    if as_json:
        for old_id, new_id in pairs:
            print_json({"old_id": old_id, "new_id": new_id})
    else:
        click.echo(
            f"{len(pairs)} dead letters sent again"
            + "".join(f"\n  {old} -> {new}" for old, new in pairs[:20])
        )
    missing = len(msg_ids) - len(pairs)
    if missing > 0:
        click.echo(f"{missing} ids were no dead letters of {queue}, or were sent again before", err=True)
        click.get_current_context().exit(6)
