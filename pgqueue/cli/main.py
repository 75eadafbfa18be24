"""The command `pgqueue`. A command's module is imported only when it runs, so that --help stays fast."""

from __future__ import annotations

import importlib
import logging
import os
import sys

import click
from click.shell_completion import shell_complete

from pgqueue import __version__
from pgqueue.cli import exit_code, streams
from pgqueue.cli.command import DEBUG, Group
from pgqueue.cli.ending import ended_by
from pgqueue.cli.variables import warn_of_misspelt_variables

# What is listed by --help, in this order: the module that holds the command, and its one line.
COMMANDS = {
    "demo": "See the main job on real input, in about a minute.",
    "embedded": "The Postgres that pgqueue brings along: start, stop, status, dsn.",
    "migrate": "Install or upgrade the schema.",
    "queues": "List, create, configure, show, purge and drop queues.",
    "send": "Send messages from the command line or standard input.",
    "peek": "Look at messages without leasing them.",
    "consume": "Run the tasks of an app on the messages of queues.",
    "maintain": "Fire schedules, end stuck barriers, remove what is kept no longer.",
    "dead": "List dead letters and send them again.",
    "barriers": "What a fan-out waits for, who holds it, what its parts brought.",
    "schedules": "Cron rules whose slots are sent as messages: list, set, pause, explain.",
    "claims": "Who has a named key, and which are done; release one.",
}
_COMPLETION = "_PGQUEUE_COMPLETE"


class LazyGroup(Group):
    """A group whose commands are named above and imported on use."""

    shows_debug = True

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"pgqueue.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="pgqueue")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A message queue in the Postgres that you already have.

    Which database: --dsn of the command, else PGQUEUE_DSN, DATABASE_URL, PGHOST and the like; with none of them
    pgqueue starts a Postgres of its own and says where.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 configuration, 4 database unreachable, 5 schema, 6 done in part,
    130 and 143 after a second SIGINT or SIGTERM.

    \b
    Example:
      pgqueue migrate
      pgqueue queues create orders
      pgqueue send orders '{"id": 7}'
      pgqueue consume orders --app shop.tasks:app
    """
    logging.getLogger("pgqueue").addHandler(
        logging.NullHandler()
    )  # the error tells it; consume and --debug log
    if ctx.invoked_subcommand != "consume":  # it has a log, and says so there
        warn_of_misspelt_variables(os.environ)


def main() -> int:
    """Run the command line; return its exit code. An error is one line on stderr."""
    streams.open_closed_streams()
    streams.print_anything()
    if instruction := os.environ.get(_COMPLETION):
        return shell_complete(cli, {}, "pgqueue", _COMPLETION, instruction)
    ctx: click.Context | None = None
    try:
        with cli.make_context("pgqueue", sys.argv[1:]) as ctx:
            result = cli.invoke(ctx)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the edge: who typed it gets a line and a code
        return ended_by(error, debug=ctx is not None and DEBUG in ctx.meta)
    return result if isinstance(result, int) else exit_code.OK
