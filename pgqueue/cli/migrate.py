"""`pgqueue migrate`: install or upgrade the schema."""

from __future__ import annotations

import functools

import click

from pgqueue import __version__
from pgqueue.cli.command import Command
from pgqueue.cli.database import direct_conninfo, dsn_option, json_option
from pgqueue.cli.output import print_json


@click.command("migrate", cls=Command)
@dsn_option
@json_option
@click.option("--plan", "plan_only", is_flag=True, help="Only say what would be done; writes nothing.")
@click.option(
    "--sql",
    "sql_only",
    is_flag=True,
    help="Print a first installation as a psql script; touches no database.",
)
@click.option(
    "--roles/--no-roles", default=True, help="Make the four roles where they are missing (needs CREATEROLE)."
)
def command(*, dsn: str | None, as_json: bool, plan_only: bool, sql_only: bool, roles: bool) -> None:
    """Install the schema pgqueue, or bring it to this release.

    One transaction under one lock: safe to run twice, by twenty hosts at once, and to kill. Workers keep running.
    Needs the right to create a schema; no superuser, no extension.

    \b
    Example:
      pgqueue migrate
      pgqueue migrate --plan
      pgqueue migrate --sql > install.sql
    """
    if sql_only and (plan_only or as_json):
        raise click.UsageError("--sql prints a script; it goes with neither --plan nor --json")
    from pgqueue.migrate import apply  # noqa: PLC0415  psycopg is imported only when needed
    from pgqueue.migrate.sql_files import load  # noqa: PLC0415

    if sql_only:
        click.echo(apply.as_script(load(), __version__, roles=roles), nl=False)
        return
    from pgqueue.db.script import open_script  # noqa: PLC0415

    script = functools.partial(open_script, direct_conninfo(dsn))
    plan = (
        apply.preview(script, package_version=__version__, roles=roles)
        if plan_only
        else apply.migrate(script, package_version=__version__, roles=roles)
    )
    if as_json:
        print_json({"applied": not plan_only, "steps": [] if plan.empty else plan.lines()})
    else:
        click.echo("\n".join(plan.lines()))
        if not plan_only and not plan.empty:
            click.echo("done")
