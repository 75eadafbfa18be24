"""The command `pgqueue`. A command's module is imported only when it runs, so that --help stays fast."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback

import click

from pgqueue.cli.exit_code import exit_code_of
from pgqueue.errors import PgQueueError

# What is listed by --help, in this order: the module that holds the command, and its one line.
COMMANDS = {
    "demo": "See the main job on real input, in about a minute.",
    "embedded": "The Postgres that pgqueue brings along: start, stop, status, dsn.",
    "migrate": "Install or upgrade the schema.",
    "queues": "List, create, configure, show, purge and drop queues.",
    "send": "Send messages from the command line or standard input.",
    "peek": "Look at messages without leasing them.",
    "consume": "Run the tasks of an app on the messages of queues.",
    "dead": "List dead letters and send them again.",
}


class LazyGroup(click.Group):
    """A group whose commands are named above and imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"pgqueue.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="pgqueue-engine", prog_name="pgqueue")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(*, debug: bool) -> None:
    """A message queue in the Postgres that you already have.

    Which database: --dsn of the command, else PGQUEUE_DSN, DATABASE_URL, PGHOST and the like; with none of them
    pgqueue starts a Postgres of its own and says where.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 configuration, 4 database unreachable, 5 schema, 6 done in part,
    130 and 143 after a second SIGINT or SIGTERM.
    """


def main() -> int:
    """Run the command line; return its exit code. Errors are one line on stderr."""
    debug = "--debug" in sys.argv
    try:
        result = cli.main(prog_name="pgqueue", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except PgQueueError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"pgqueue: {error}", err=True)
        return exit_code_of(error)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep the interpreter's last flush from failing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0
