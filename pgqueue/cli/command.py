"""What every command and group of the command line has in common: strict options, hints, --debug."""

from __future__ import annotations

import difflib
from typing import Any

import click

DEBUG = "pgqueue.debug"


def _note_debug(ctx: click.Context, _option: click.Parameter, value: object) -> None:
    if not value:
        return
    from pgqueue import log  # noqa: PLC0415 - not paid for by every command

    ctx.meta[DEBUG] = True
    log.configure("auto", "debug")


def _debug_option(*, hidden: bool) -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        hidden=hidden,
        expose_value=False,
        callback=_note_debug,
        help="Show the traceback of an error, and the log. May stand after the command, too.",
    )


class Command(click.Command):
    """A command that refuses an option given twice, where click would take the last in silence."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Take click's arguments."""
        super().__init__(*args, **settings)
        self.params.append(_debug_option(hidden=True))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            _refuse_repeated(self, ctx, args)
        return super().parse_args(ctx, args)


class Group(click.Group):
    """A group that answers without a command with its help and code 2, and a misspelt command with the nearest."""

    command_class = Command
    shows_debug = False

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Take click's arguments."""
        super().__init__(*args, **({"no_args_is_help": False} | settings))
        self.params.append(_debug_option(hidden=not self.shows_debug))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0], known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
            ctx.fail(f"no command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)


def _refuse_repeated(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    *_, order = command.make_parser(ctx).parse_args(args=list(args))
    for parameter in command.params:
        once = isinstance(parameter, click.Option) and not parameter.multiple and not parameter.is_flag
        if once and order.count(parameter) > 1:
            ctx.fail(f"{parameter.opts[0]} is given twice")
