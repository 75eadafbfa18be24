"""How a command ends that did not end well: one line on stderr, and the code that tells scripts why."""

from __future__ import annotations

import traceback

import click
from click.exceptions import Exit

from pgqueue.cli import exit_code, streams
from pgqueue.errors import PgQueueError


def ended_by(error: BaseException, *, debug: bool) -> int:
    """Say what went wrong and return the exit code; `debug` shows the traceback as well.

    A reader that has seen enough (head, less) is no error.
    """
    match error:
        case Exit():
            return error.exit_code
        case BrokenPipeError():
            streams.give_up_output()
            return exit_code.OK
        case click.Abort() | KeyboardInterrupt():
            complain("stopped")
            return exit_code.INTERRUPTED
        case click.UsageError():
            complain(_usage(error), command=error.ctx.command_path if error.ctx else "pgqueue")
            return exit_code.USAGE
    if debug:
        traceback.print_exception(error)
    match error:
        case PgQueueError():
            complain(str(error))
            return exit_code.exit_code_of(error)
        case click.ClickException():
            complain(error.format_message())
        case OSError():
            streams.give_up_output()
            complain(str(error))
        case _:
            complain(
                f"this is a fault of pgqueue: {_origin(error)}. Run it again with --debug, and report it."
            )
    return exit_code.FAILED


def complain(text: str, *, command: str = "pgqueue") -> None:
    """Print one line on stderr, whatever the text holds: an error may quote a server or a file."""
    line = " ".join(text.split())
    click.echo(f"{command}: {''.join(map(_visible, line))}", err=True)


def _usage(error: click.UsageError) -> str:
    text = error.format_message().rstrip(".")
    if isinstance(error, click.NoSuchOption) and error.option_name[1:2].isdigit():
        text += ". Put -- before a value that starts with a minus"
    end = "" if text.endswith("?") else "."
    path = error.ctx.command_path if error.ctx else "pgqueue"
    return f"{text}{end} See {path} --help."


def _origin(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def _visible(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]
