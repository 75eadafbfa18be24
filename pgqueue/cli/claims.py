"""`pgqueue claims`: list, show, release."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from pgqueue.cli.command import Group
from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.exit_code import FAILED
from pgqueue.cli.output import at, print_json, print_rows, printable
from pgqueue.cli.streams import can_ask

if TYPE_CHECKING:
    from pgqueue.claim.model import ClaimInfo
    from pgqueue.client.sync import PgQueue

_COLUMNS = ("name", "key", "state", "token", "holder", "takeovers", "claimed_at", "expires_at", "done_at")
_STATES = ("running", "lapsed", "free", "done")


@click.group("claims", cls=Group)
def command() -> None:
    """Claims on named keys: who has one, and which are done.

    \b
    Example:
      pgqueue claims list --state lapsed
      pgqueue claims show orchestrate execution-7
      pgqueue claims release orchestrate execution-7
    """


@command.command("list")
@click.option("--name", metavar="NAME", help="Only claims of this name.")
@click.option(
    "--state",
    type=click.Choice(_STATES),
    help="Only claims in this state. A lapsed one, whose lease is over, is to be had by anybody.",
)
@click.option("--after", "before", type=int, metavar="TOKEN", help="Go on after this one of the list.")
@click.option("--qty", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@dsn_option
@json_option
def list_command(
    *, name: str | None, state: str | None, before: int | None, qty: int, dsn: str | None, as_json: bool
) -> None:
    """Show claims and tombstones, the latest first.

    \b
    Example:
      pgqueue claims list --name orchestrate --state running
      pgqueue claims list --after 4711 --qty 1000 --json
    """
    from pgqueue.claim import calls  # noqa: PLC0415 - it brings structlog, which --help can do without

    with open_client(dsn) as client:
        found = client.run(calls.claims(name, state=state, before=before, qty=qty))
    rows = [info._asdict() for info in found]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no such claims")


@command.command("show")
@click.argument("name")
@click.argument("key")
@dsn_option
@json_option
def show_command(*, name: str, key: str, dsn: str | None, as_json: bool) -> None:
    """Say who has a key and until when, or when it was done.

    \b
    Example:
      pgqueue claims show orchestrate execution-7
    """
    with open_client(dsn) as client:
        info = _find(client, name, key)
    if as_json:
        print_json(info._asdict())
    else:
        click.echo(printable(_told(info)))


@command.command("release")
@click.argument("name")
@click.argument("key")
@click.option("--force", is_flag=True, help="Also one whose lease runs: its holder may be at work.")
@click.option("--yes", is_flag=True, help="Don't ask. Needed where nobody can be asked.")
@dsn_option
@json_option
def release_command(*, name: str, key: str, force: bool, yes: bool, dsn: str | None, as_json: bool) -> None:
    """Take a claim from its holder: anybody gets the key at once.

    A lapsed one is to be had by anybody anyway; released, its former holder can't finish it any more. One that runs is
    only released with --force: the holder isn't stopped, and another one may begin beside it. It learns of it when it
    renews or finishes. Only the very claim that was shown is released. A tombstone stays until its time is over.
    Ends with 1 when nothing was released; a claim that is free is no error.

    \b
    Example:
      pgqueue claims release orchestrate execution-7
      pgqueue claims release orchestrate execution-7 --force --yes
    """
    from pgqueue.claim import calls  # noqa: PLC0415 - as above

    with open_client(dsn) as client:
        info = _find(client, name, key)
        released = False
        if info.state in ("running", "lapsed"):
            _check(info, force=force, yes=yes)
            released = client.run(calls.release(name, key, info.token))
            info = _find(client, name, key)
    if as_json:
        print_json({"name": name, "key": key, "released": released, "state": info.state})
    else:
        click.echo(
            printable(
                f"claim {key} of {name} is released" if released else f"nothing was released: {_told(info)}"
            )
        )
    if info.state != "free" and not released:
        click.get_current_context().exit(FAILED)


def _check(info: ClaimInfo, *, force: bool, yes: bool) -> None:
    """Refuse a claim that runs, unless forced; ask about any."""
    if info.state == "running" and not force:
        raise click.ClickException(
            f"{_told(info)}. Its holder may be at work: --force releases it all the same; nothing was changed."
        )
    if yes:
        return
    if not can_ask():
        raise click.UsageError("release needs --yes where nobody can be asked; nothing was changed")
    click.echo(printable(_told(info)), err=True)
    if not click.confirm("Release it?", err=True):
        click.echo("nothing was changed", err=True)
        click.get_current_context().exit(FAILED)


def _told(info: ClaimInfo) -> str:
    """Say in words what a claim is."""
    named = f"claim {info.key} of {info.name}"
    holder = info.holder or "somebody who gave no name"
    token = f"token {info.token}, taken {at(info.claimed_at)}"
    match info.state:
        case "running":
            return f"{named} is held by {holder} until {at(info.expires_at)} ({token}, {info.takeovers} takeovers)"
        case "lapsed":
            return f"{named} has lapsed {at(info.expires_at)}: {holder} didn't renew it ({token}); who tries gets it"
        case "free":
            return f"{named} is free: released {at(info.expires_at)} ({token} by {holder})"
        case _:
            return f"{named} was done {at(info.done_at)} by {holder}; nobody gets it before {at(info.expires_at)}"


def _find(client: PgQueue, name: str, key: str) -> ClaimInfo:
    """Return a claim. One that isn't there is answered with what is near."""
    from pgqueue.claim import calls  # noqa: PLC0415 - as above

    info = client.run(calls.claim(name, key))
    if info is not None:
        return info
    recent = client.run(calls.claims(qty=1000))
    keys = [other.key for other in recent if other.name == name]
    known, wanted = (keys, key) if keys else (sorted({other.name for other in recent}), name)
    near = get_close_matches(wanted, known, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise click.ClickException(f"nobody has claimed {key} of {name}. {hint}`pgqueue claims list` shows all.")
