"""`pgqueue barriers`: list, show, results, abort."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from pgqueue.barrier import calls
from pgqueue.barrier.model import Aborted, BarrierInfo, PartResult
from pgqueue.cli import barrier_words
from pgqueue.cli.command import Group
from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.exit_code import FAILED
from pgqueue.cli.output import print_json, print_rows, printable
from pgqueue.cli.streams import can_ask

if TYPE_CHECKING:
    from pgqueue.client.sync import PgQueue

_FOR_PEOPLE = ("key", "generation", "state", "ended", "failed", "last_progress_at", "reason")
_MISSING = ("part", "queue", "msg_id", "tries", "read_ct", "where", "holder", "error")
_generation_option = click.option(
    "--generation", type=int, metavar="N", help="This run of KEY. Default: the newest."
)


@click.group("barriers", cls=Group)
def command() -> None:
    """Barriers: what a fan-out still waits for, who holds it, and what its parts brought.

    \b
    Example:
      pgqueue barriers list --state live
      pgqueue barriers show export-7
      pgqueue barriers results export-7 --json
      pgqueue barriers abort export-7 --reason "the customer has left"
    """


@command.command("list")
@click.option("--key", metavar="KEY", help="Only runs of this key.")
@click.option(
    "--state",
    type=click.Choice(["live", "done", "failed", "expired", "aborted", "replaced"]),
    help="Only runs in this state.",
)
@click.option("--after", "before", type=int, metavar="GENERATION", help="Go on after this one of the list.")
@click.option("--qty", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@dsn_option
@json_option
def list_command(
    *, key: str | None, state: str | None, before: int | None, qty: int, dsn: str | None, as_json: bool
) -> None:
    """Show runs of barriers with their progress, the newest first.

    \b
    Example:
      pgqueue barriers list --state live
      pgqueue barriers list --key export-7 --json
      pgqueue barriers list --after 120 --qty 1000
    """
    with open_client(dsn) as client:
        rows: list[dict[str, Any]] = [
            info._asdict() | {"ended": barrier_words.progress(info)}
            for info in client.run(calls.barriers(key, state=state, before=before, qty=qty))
        ]
    columns = BarrierInfo._fields if as_json else _FOR_PEOPLE
    print_rows(rows, columns, as_json=as_json, empty="no such barriers")


@command.command("show")
@click.argument("key")
@_generation_option
@click.option(
    "--qty", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many missing parts."
)
@dsn_option
@json_option
def show_command(*, key: str, generation: int | None, qty: int, dsn: str | None, as_json: bool) -> None:
    """Say how far a barrier is, and where its missing parts are.

    \b
    Example:
      pgqueue barriers show export-7
      pgqueue barriers show export-7 --qty 1000 --json
    """
    with open_client(dsn) as client:
        info = _find(client, key, generation)
        missing = client.run(calls.missing(key, info.generation, qty=qty))
    if as_json:
        print_json(info._asdict() | {"missing": [part._asdict() for part in missing]})
        return
    _say(barrier_words.story(info))
    if missing:
        rows = [part._asdict() | {"where": barrier_words.where(part)} for part in missing]
        click.echo()
        print_rows(rows, _MISSING, as_json=False, empty="")
        more = info.open - len(missing)
        _say([f"and {more} more: --qty shows up to 1000"] if more > 0 else [])
        _say(barrier_words.advice(info, missing))


@command.command("results")
@click.argument("key")
@_generation_option
@click.option(
    "--after",
    "after_part",
    default=-1,
    type=click.IntRange(-1, 2**31 - 1),
    metavar="PART",
    help="Go on after this part. Default: from 0.",
)
@click.option("--qty", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@dsn_option
@json_option
def results_command(
    *, key: str, generation: int | None, after_part: int, qty: int, dsn: str | None, as_json: bool
) -> None:
    """Show what the parts of a barrier brought, in their order.

    A result, an error, or nothing yet. Results have up to 16 MiB each: mind --qty.

    \b
    Example:
      pgqueue barriers results export-7
      pgqueue barriers results export-7 --after 999 --qty 1000 --json
    """
    with open_client(dsn) as client:
        run = _find(client, key, generation).generation
        found = client.run(calls.results(key, run, after_part=after_part, qty=qty))
    print_rows(
        [one._asdict() for one in found],
        PartResult._fields,
        as_json=as_json,
        empty=f"no parts of {key} after {after_part}",
    )


@command.command("abort")
@click.argument("key")
@click.option("--reason", required=True, metavar="TEXT", help="Kept with the barrier, for whoever asks.")
@click.option("--generation", type=int, metavar="N", help="Only this run of KEY. Default: the live one.")
@click.option("--yes", is_flag=True, help="Don't ask. Needed where nobody can be asked.")
@dsn_option
@json_option
def abort_command(
    *, key: str, reason: str, generation: int | None, yes: bool, dsn: str | None, as_json: bool
) -> None:
    """End a live barrier without its callback.

    Its on_failure message is sent, where it has one. Parts that wait or run go on and are acked; they count for nothing. Asks
    first, and says how far the barrier is. Ends with 1 when the barrier was over; one that was aborted before is no error.

    \b
    Example:
      pgqueue barriers abort export-7 --reason "the customer has left"
      pgqueue barriers abort export-7 --reason "wrong month" --generation 12 --yes
    """
    with open_client(dsn) as client:
        live = client.run(calls.barriers(key, state="live", qty=1)) if generation is None else []
        info = live[0] if live else _find(client, key, generation)
        if not yes and info.state == "live":
            _confirm(info)
        outcome = client.run(calls.abort(key, reason, info.generation))
        after = _find(client, key, info.generation)
    if as_json:
        print_json({"key": key, "generation": after.generation, "outcome": outcome, "state": after.state})
    else:
        _say([_told(after, outcome)])
    if after.state != "aborted":
        click.get_current_context().exit(FAILED)


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(printable(line))


def _told(info: BarrierInfo, outcome: Aborted) -> str:
    named = f"barrier {info.key}, generation {info.generation},"
    if outcome is Aborted.ABORTED:
        return f"{named} is aborted"
    return f"{named} was over before: {info.state}; nothing was changed"


def _find(client: PgQueue, key: str, generation: int | None) -> BarrierInfo:
    """Return a run of a barrier. One that isn't there is answered with the keys that are near."""
    info = client.run(calls.barrier(key, generation))
    if info is not None:
        return info
    runs = client.run(calls.barriers(key, qty=10)) if generation is not None else []
    if runs:
        there = ", ".join(str(other.generation) for other in runs)
        raise click.ClickException(f"barrier {key} has no generation {generation}. The newest are: {there}.")
    recent = client.run(calls.barriers(qty=1000))
    near = get_close_matches(key, sorted({other.key for other in recent}), n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise click.ClickException(f"there is no barrier {key}. {hint}`pgqueue barriers list` shows all.")


def _confirm(info: BarrierInfo) -> None:
    if not can_ask():
        raise click.UsageError("abort needs --yes where nobody can be asked; nothing was changed")
    click.echo(printable(barrier_words.story(info)[0]), err=True)
    if not click.confirm("End it without its callback?", err=True):
        click.echo("nothing was changed", err=True)
        click.get_current_context().exit(FAILED)
