"""`pgqueue queues pause`, `resume`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.output import print_json
from pgqueue.cli.values import Seconds
from pgqueue.queue import calls
from pgqueue.queue.model import Pause


def pause_facts(pause: Pause | None) -> dict[str, Any] | None:
    """Show a pause as an object."""
    return None if pause is None else pause._asdict()


@click.command("pause")
@click.argument("queue")
@click.option("--why", required=True, metavar="TEXT", help="Shown to whoever asks why nothing is handed out.")
@click.option(
    "--for", "seconds", type=Seconds(), help="End by itself after so long. Default: when it is resumed."
)
@dsn_option
@json_option
def pause_command(*, queue: str, why: str, seconds: float | None, dsn: str | None, as_json: bool) -> None:
    """Hand out nothing from a queue, to nobody. Sends and acks go on, and so does what was handed out before.

    Consumers say in their log that it is paused, within seconds. Paused again: the new reason and end count.

    \b
    Example:
      pgqueue queues pause mails --why "the mail server is down"
      pgqueue queues pause mails --why "new schema" --for 600
    """
    until = None if seconds is None else _lasting(seconds)
    with open_client(dsn) as client:
        client.run(calls.pause_queue(queue, why, until))
        paused = client.run(calls.state(queue)).paused
    if as_json:
        print_json({"queue": queue, "paused": pause_facts(paused)})
    else:
        ends = f" until {paused.until}" if paused is not None and paused.until is not None else ""
        click.echo(f"queue {queue} is paused{ends}")


@click.command("resume")
@click.argument("queue")
@dsn_option
@json_option
def resume_command(*, queue: str, dsn: str | None, as_json: bool) -> None:
    """End the pause of a queue. One that isn't paused is no error.

    \b
    Example:
      pgqueue queues resume mails
    """
    with open_client(dsn) as client:
        was_paused = client.run(calls.resume_queue(queue))
    if as_json:
        print_json({"queue": queue, "resumed": was_paused})
    else:
        click.echo(f"queue {queue} is resumed" if was_paused else f"queue {queue} was not paused")


def _lasting(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise click.UsageError(f"--for can't be {seconds}") from None
