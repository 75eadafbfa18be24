"""`pgqueue consume`: run the tasks of an app on the messages of queues."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from pgqueue.cli.command import Command
from pgqueue.cli.database import dsn_option
from pgqueue.cli.values import Seconds
from pgqueue.cli.variables import unread_variables
from pgqueue.errors import ConfigurationError

if TYPE_CHECKING:
    from pgqueue.consumer.settings import Given, ProcessSettings
    from pgqueue.consumer.start import Wanted
    from pgqueue.consumer.watchdog import Watchdog

F = TypeVar("F", bound=Callable[..., Any])

QUEUE_OPTIONS = ("vt", "health_stale", "max_reads", "batch", "archive")
PROCESS_OPTIONS = ("concurrency", "poll", "poll_max", "grace", "call_timeout")
FLEET_OPTIONS = ("host", "port", "max_messages", "max_megabytes")


def _option(name: str, *, variable: str = "", **settings: Any) -> Callable[[F], F]:
    """Declare an option that can also stand in the environment."""
    variable = variable or "PGQUEUE_" + name.partition("/")[0].strip("-").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, **settings)


@click.command("consume", cls=Command)
@click.argument("queues", nargs=-1, required=True, metavar="QUEUE...")
@_option("--app", required=True, metavar="MODULE:APP", help="Where the handlers are registered.")
@_option(
    "--processes", type=int, default=1, show_default=True, help="Worker processes; 0: this one, unsupervised."
)
@_option(
    "--concurrency", type=int, default=10, show_default=True, help="Handlers that run at once, a process."
)
@_option("--batch", type=int, metavar="N", help="Most messages a read. Default: the queue's.")
@_option("--vt", type=Seconds(), help="How long one claim hides a message. Default: the queue's.")
@_option("--health-stale", type=Seconds(), help="Longest run of a handler, over vt. Default: the queue's.")
@_option(
    "--max-reads", type=int, metavar="N", help="Claims before a message is poison. Default: the queue's."
)
@_option("--archive", is_flag=True, help="Keep what is done in the archive. Default: the queue's.")
@_option("--poll", type=Seconds(), default=0.1, show_default=True, help="Pause between reads.")
@_option("--poll-max", type=Seconds(), default=2.0, show_default=True, help="Longest pause, while empty.")
@_option(
    "--listen/--no-listen",
    default=True,
    show_default=True,
    help="Wake up when a message is sent, where Postgres can be reached without a pooler.",
)
@_option(
    "--maintain/--no-maintain",
    default=True,
    show_default=True,
    help="Do the chores of `pgqueue maintain` too, while no other process does.",
)
@_option("--grace", type=Seconds(), default=25.0, show_default=True, help="Time to finish in after a signal.")
@_option(
    "--max-messages", type=int, metavar="N", help="Replace a worker process after so many. Default: never."
)
@_option(
    "--max-megabytes",
    type=float,
    metavar="MB",
    help="Replace a worker process that uses more memory. Default: never.",
)
# The variable has another name: where a service is named pgqueue, Kubernetes sets its own of that name to an address.
@_option(
    "--port",
    variable="PGQUEUE_HEALTH_PORT",
    type=int,
    help="Port of /livez, /readyz and /metrics; 0: any. Default: none.",
)
@_option(
    "--host",
    variable="PGQUEUE_HEALTH_HOST",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve them on; for a container 0.0.0.0.",
)
@_option(
    "--call-timeout",
    type=Seconds(),
    default=10.0,
    show_default=True,
    help="Longest wait for an answer of the database.",
)
@_option("--fail-fast", is_flag=True, help="End with 4 when the database can't be reached at the start.")
@_option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    show_default=True,
    help="auto: lines for people on a terminal, JSON elsewhere.",
)
@_option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least that is logged.",
)
@dsn_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Run the tasks of an app on the messages of QUEUEs, until a signal comes.

    A QUEUE may carry a weight, orders:3: while all are busy, messages are claimed in proportion to the weights (1 where
    nothing is said); what a queue doesn't need goes to the others.

    Durations are seconds. A flag counts before its variable, that before the queue's own setting, that before the
    default. What holds, and where it comes from, is logged at the start. One SIGTERM or SIGINT: claim nothing more,
    finish within --grace, end with 0. What still runs then, or at a second one, is given back: end with 143 or 130.

    \b
    Example:
      pgqueue consume orders --app shop.tasks:app
      pgqueue consume orders:3 mails --app shop.tasks:app --concurrency 20 --vt 180 --health-stale 240
    """
    # What a command imports is paid for by --help of every other one.
    from pgqueue import log  # noqa: PLC0415
    from pgqueue.consumer import settings, start  # noqa: PLC0415
    from pgqueue.consumer.watchdog import inherited  # noqa: PLC0415

    log.configure(given["log_format"], given["log_level"])
    watchdog = inherited(os.environ)
    if watchdog is None:
        _warn_of_unread_variables()
    else:
        watchdog.start()
    queues = start.check_queues(given["queues"], warn=watchdog is None)
    overrides = _overrides(ctx)
    settings.check_overrides(overrides)
    process = settings.ProcessSettings(**{name: given[name] for name in PROCESS_OPTIONS})
    if watchdog is None and given["processes"]:
        return _supervise(given)
    if watchdog is None:
        _refuse_fleet_options(ctx)
    return _consume(given, queues, overrides, process, watchdog)


def _supervise(given: dict[str, Any]) -> int:
    from pgqueue.cli.supervising import supervise  # noqa: PLC0415
    from pgqueue.daemon.model import FleetSettings  # noqa: PLC0415

    names = ("processes", "grace", *FLEET_OPTIONS)
    return supervise(FleetSettings(**{name: given[name] for name in names}), given["dsn"])


def _consume(
    given: dict[str, Any],
    queues: list[Wanted],
    overrides: dict[str, Given],
    process: ProcessSettings,
    watchdog: Watchdog | None,
) -> int:
    from pgqueue.consumer.start import check_app  # noqa: PLC0415
    from pgqueue.task.loader import load  # noqa: PLC0415

    app = load(given["app"])
    check_app(app, queues)
    from pgqueue.cli.consuming import Work, consume  # noqa: PLC0415 - after what may refuse in less time
    from pgqueue.cli.naming import holder  # noqa: PLC0415

    work = Work(
        app,
        queues,
        dataclasses.replace(process, holder=holder()),
        overrides,
        given["dsn"],
        given["fail_fast"],
        given["listen"],
        given["maintain"],
        watchdog,
    )
    return asyncio.run(consume(work))


def _refuse_fleet_options(ctx: click.Context) -> None:
    """Refuse what only a supervisor can do, where there is to be none."""
    alone = [name for name in FLEET_OPTIONS if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if alone:
        option = "--" + alone[0].replace("_", "-")
        raise ConfigurationError(
            f"{option} needs a supervisor, and --processes 0 means none", cure="Give --processes 1 or more."
        )


def _overrides(ctx: click.Context) -> dict[str, Given]:
    """Collect what was given for this process in place of the queues' own settings."""
    from pgqueue.consumer.settings import Given  # noqa: PLC0415

    names = {ParameterSource.COMMANDLINE: "flag", ParameterSource.ENVIRONMENT: "environment"}
    found = {name: (ctx.params[name], ctx.get_parameter_source(name)) for name in QUEUE_OPTIONS}
    return {name: Given(value, names[source]) for name, (value, source) in found.items() if source in names}


def _warn_of_unread_variables() -> None:
    """Name a variable that is spelt like one of ours and that nobody reads."""
    from pgqueue.log import get_logger  # noqa: PLC0415

    for name, nearest in unread_variables(os.environ).items():
        get_logger("pgqueue.consumer").warning("variable.ignored", name=name, nearest=nearest)
