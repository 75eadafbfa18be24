"""`pgqueue peek`: look at messages without leasing them."""

from __future__ import annotations

import click

from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.output import print_rows

_COLUMNS = (
    "msg_id",
    "state",
    "read_ct",
    "release_ct",
    "priority",
    "group_key",
    "enqueued_at",
    "vt",
    "holder",
    "error",
    "message",
    "headers",
)
_FOR_PEOPLE = ("msg_id", "state", "read_ct", "enqueued_at", "vt", "error", "message")


@click.command("peek")
@click.argument("queue")
@click.option(
    "--state",
    type=click.Choice(["ready", "delayed", "in_flight", "retry"]),
    help="Only messages in this state.",
)
@click.option("--after", "after_id", default=0, metavar="MSG_ID", help="Go on after this id.")
@click.option("--qty", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@dsn_option
@json_option
def command(
    *, queue: str, state: str | None, after_id: int, qty: int, dsn: str | None, as_json: bool
) -> None:
    """Look at messages by id. Nothing is leased or changed.

    \b
    Examples:
      pgqueue peek orders
      pgqueue peek orders --state retry --json
    """
    with open_client(dsn) as client:
        rows = [waiting._asdict() for waiting in client.peek(queue, state, after_id, qty)]
    print_rows(
        rows, _COLUMNS if as_json else _FOR_PEOPLE, as_json=as_json, empty=f"no such messages in {queue}"
    )
