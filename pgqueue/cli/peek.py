"""`pgqueue peek`: look at messages without leasing them."""

from __future__ import annotations

import click

from pgqueue.cli.command import Command
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
    "last_read_at",
    "vt",
    "holder",
    "error",
    "message",
    "headers",
    "broken",
)
_FOR_PEOPLE = ("msg_id", "state", "read_ct", "enqueued_at", "vt", "error", "message")


@click.command("peek", cls=Command)
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
    """Look at the messages of QUEUE that wait or run, by id. Nothing is leased or changed.

    States: ready (can be read now), delayed (not yet), in_flight (leased), retry (waits after a failure).

    \b
    Example:
      pgqueue peek orders
      pgqueue peek orders --state retry --json
      pgqueue peek orders --after 120 --qty 1000
    """
    with open_client(dsn) as client:
        rows = [waiting._asdict() for waiting in client.peek(queue, state, after_id, qty)]
    print_rows(
        rows, _COLUMNS if as_json else _FOR_PEOPLE, as_json=as_json, empty=f"no such messages in {queue}"
    )
