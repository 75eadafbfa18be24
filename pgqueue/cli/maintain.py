"""`pgqueue maintain`: end what nobody ends, remove what is kept no longer, send what schedules have due."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pgqueue.cli.command import Command
from pgqueue.cli.database import dsn_option, json_option
from pgqueue.cli.exit_code import FAILED, OK, PARTIAL
from pgqueue.cli.output import print_rows
from pgqueue.cli.values import Seconds

if TYPE_CHECKING:
    from pgqueue.leadership.model import Terms
    from pgqueue.reaper.model import Report

_COLUMNS = ("chore", "due", "moved", "more", "error")


@click.command("maintain", cls=Command)
@click.option("--once", is_flag=True, help="Run each chore that is due once, print what it moved, and end.")
@click.option(
    "--lease",
    type=Seconds(),
    default=10.0,
    show_default=True,
    help="A leader that dies is replaced within this time.",
)
@click.option(
    "--interval",
    type=Seconds(),
    default=3.0,
    show_default=True,
    help="Time between two renewals, and between two tries of a standby; less than the lease.",
)
@click.option(
    "--fail-fast",
    is_flag=True,
    envvar="PGQUEUE_FAIL_FAST",
    show_envvar=True,
    help="End with 4 when the database can't be reached at the start.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    show_default=True,
    envvar="PGQUEUE_LOG_FORMAT",
    show_envvar=True,
    help="auto: lines for people on a terminal, JSON elsewhere.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    envvar="PGQUEUE_LOG_LEVEL",
    show_envvar=True,
    help="Least that is logged.",
)
@dsn_option
@json_option
def command(
    *,
    once: bool,
    lease: float,
    interval: float,
    fail_fast: bool,
    log_format: str,
    log_level: str,
    dsn: str | None,
    as_json: bool,
) -> int:
    """Maintain the database until a signal comes: fire schedules, end stuck barriers, remove what is kept no longer.

    Of all processes that could, one does it: the leader; the others wait. Every `pgqueue consume` is one of them, so this
    command is needed where nothing is consumed, or where consumers run with --no-maintain. No redelivery depends on it.

    \b
    Example:
      pgqueue maintain
      pgqueue maintain --once --json
    """
    if as_json and not once:
        raise click.UsageError("--json goes with --once; without it nothing is printed but the log")
    from pgqueue import log  # noqa: PLC0415 - what a command imports is paid for by --help of every other one
    from pgqueue.leadership.model import Terms  # noqa: PLC0415

    terms = Terms(lease, interval)
    log.configure(log_format, log_level)
    if once:
        return _once(dsn, terms, as_json=as_json)
    from pgqueue.cli.maintaining import maintain  # noqa: PLC0415

    return asyncio.run(maintain(dsn, terms, fail_fast=fail_fast))


def _once(dsn: str | None, terms: Terms, *, as_json: bool) -> int:
    from pgqueue.cli.maintaining import maintain_once  # noqa: PLC0415
    from pgqueue.reaper.chores import CHORES  # noqa: PLC0415

    reports = asyncio.run(maintain_once(dsn, terms))
    if reports is None:
        click.echo("another process maintains this database; nothing was done", err=True)
        return OK
    rows = [
        {
            "chore": report.chore,
            "due": report.done is not None,
            "moved": report.done.moved if report.done else None,
            "more": report.done.more if report.done else None,
            "error": report.done.error if report.done else None,
        }
        for report in reports
    ]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="the lease was lost before anything was done")
    if len(reports) < len(CHORES):
        click.echo("another process took the lease; the rest was left to it", err=True)
        return PARTIAL
    return _code(reports)


def _code(reports: Sequence[Report]) -> int:
    ran = [report.done for report in reports if report.done is not None]
    failed = [done for done in ran if done.error is not None]
    if not failed:
        return OK
    return FAILED if len(failed) == len(ran) else PARTIAL
