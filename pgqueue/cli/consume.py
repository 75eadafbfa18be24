"""`pgqueue consume`: run the tasks of an app on the messages of queues."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

import click
from click.core import ParameterSource

from pgqueue.cli.command import Command
from pgqueue.cli.database import dsn_option
from pgqueue.cli.values import Seconds
from pgqueue.cli.variables import unread_variables

if TYPE_CHECKING:
    from pgqueue.consumer.model import Doors, QueuePlan
    from pgqueue.consumer.settings import Given, ProcessSettings
    from pgqueue.task.registry import App

F = TypeVar("F", bound=Callable[..., Any])

QUEUE_OPTIONS = ("vt", "health_stale", "max_reads", "batch", "archive")
PROCESS_OPTIONS = ("concurrency", "poll", "poll_max", "grace")
WORK_CONNECTIONS = 4


def _option(name: str, **settings: Any) -> Callable[[F], F]:
    """Declare an option that can also stand in the environment."""
    variable = "PGQUEUE_" + name.partition("/")[0].strip("-").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, **settings)


@click.command("consume", cls=Command)
@click.argument("queues", nargs=-1, required=True, metavar="QUEUE...")
@_option("--app", required=True, metavar="MODULE:APP", help="Where the handlers are registered.")
@_option("--concurrency", type=int, default=10, show_default=True, help="Handlers that run at once.")
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
@_option("--grace", type=Seconds(), default=25.0, show_default=True, help="Time to finish in after a signal.")
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

    Durations are seconds. A flag counts before its variable, that before the queue's own setting, that before the
    default. What holds, and where it comes from, is logged at the start. One SIGTERM or SIGINT: claim nothing more,
    finish within --grace, end with 0. A second one: give everything back now, end with 143 or 130.

    \b
    Example:
      pgqueue consume orders --app shop.tasks:app
      pgqueue consume orders mails --app shop.tasks:app --concurrency 20 --vt 180 --health-stale 240
    """
    # What a command imports is paid for by --help of every other one.
    from pgqueue import log  # noqa: PLC0415
    from pgqueue.consumer import settings, start  # noqa: PLC0415
    from pgqueue.task.loader import load  # noqa: PLC0415

    log.configure(given["log_format"], given["log_level"])
    _warn_of_unread_variables()
    queues = start.check_queues(given["queues"])
    process = settings.ProcessSettings(**{name: given[name] for name in PROCESS_OPTIONS}, holder=_holder())
    overrides = _overrides(ctx)
    settings.check_overrides(overrides)
    app = load(given["app"])
    start.check_app(app, queues)
    switches = _Switches(given["fail_fast"], given["listen"])
    return asyncio.run(_consume(app, queues, process, overrides, given["dsn"], switches))


async def _consume(
    app: App,
    queues: list[str],
    process: ProcessSettings,
    overrides: dict[str, Given],
    dsn: str | None,
    switches: _Switches,
) -> int:
    """Open the doors, consume, and close them; an exit code other than 0 ends the process here."""
    from pgqueue.client.aio import AsyncPgQueue  # noqa: PLC0415
    from pgqueue.client.doors import listening_door, work_door  # noqa: PLC0415
    from pgqueue.client.sync import PgQueue  # noqa: PLC0415
    from pgqueue.consumer.model import Doors  # noqa: PLC0415
    from pgqueue.db.listener import Listener  # noqa: PLC0415
    from pgqueue.db.transaction import Transactions  # noqa: PLC0415

    client = AsyncPgQueue(dsn, role="consume", max_connections=WORK_CONNECTIONS)
    transactions = Transactions(work_door(dsn, os.environ, "handler"), process.concurrency)
    doors = Doors(
        client,
        lambda timeout: PgQueue(dsn, role="renewal", max_connections=1, call_timeout=timeout),
        transactions,
        Listener(listening_door(dsn, os.environ), client.run) if switches.listen else None,
    )
    try:
        code = await _serve(app, doors, queues, process, overrides, switches)
    finally:
        await client.close()
        await transactions.close()
    if code:
        _leave(code)
    return code


async def _serve(
    app: App,
    doors: Doors,
    queues: list[str],
    process: ProcessSettings,
    overrides: dict[str, Given],
    switches: _Switches,
) -> int:
    """Wait for the database, then consume until a signal comes."""
    from pgqueue.consumer import start  # noqa: PLC0415
    from pgqueue.consumer.loop import Consumer  # noqa: PLC0415
    from pgqueue.consumer.upkeep import keep_queues_small  # noqa: PLC0415

    stop = _Stop()
    stop.listen()
    loading = asyncio.create_task(
        start.load_plans(doors.work, queues, overrides, fail_fast=switches.fail_fast)
    )
    plans = await stop.unless_stopped(loading)
    if plans is None:
        return 0
    consumer = Consumer(app, doors, process, plans)
    stop.tell(consumer.request_stop)
    _log_start(app, process, plans, overrides, switches)
    chores = [
        asyncio.create_task(start.keep_plans_fresh(consumer, doors.work, overrides)),
        asyncio.create_task(keep_queues_small(consumer, doors.work)),
    ]
    try:
        return await consumer.run()
    finally:
        for chore in chores:
            chore.cancel()


class _Switches(NamedTuple):
    fail_fast: bool
    listen: bool


class _Stop:
    """Turns SIGTERM and SIGINT into requests to stop, from before the first connection on."""

    def __init__(self) -> None:
        self._early = asyncio.Event()
        self._signal: signal.Signals | None = None
        self._request: Any = None

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received, number)

    def tell(self, request: Any) -> None:
        """Pass signals on from now on, also one that has come already."""
        self._request = request
        if self._signal is not None:
            request(self._signal)

    async def unless_stopped(self, task: asyncio.Task[list[QueuePlan]]) -> list[QueuePlan] | None:
        """Return the result of the task, or None when a signal comes first."""
        early = asyncio.create_task(self._early.wait())
        await asyncio.wait({task, early}, return_when=asyncio.FIRST_COMPLETED)
        early.cancel()
        if task.done():
            return task.result()
        task.cancel()
        return None

    def _received(self, number: signal.Signals) -> None:
        self._signal = number
        self._early.set()
        if self._request is not None:
            self._request(number)


def _overrides(ctx: click.Context) -> dict[str, Given]:
    """Collect what was given for this process in place of the queues' own settings."""
    from pgqueue.consumer.settings import Given  # noqa: PLC0415

    names = {ParameterSource.COMMANDLINE: "flag", ParameterSource.ENVIRONMENT: "environment"}
    found = {name: (ctx.params[name], ctx.get_parameter_source(name)) for name in QUEUE_OPTIONS}
    return {name: Given(value, names[source]) for name, (value, source) in found.items() if source in names}


def _log_start(
    app: App,
    process: ProcessSettings,
    plans: list[QueuePlan],
    overrides: dict[str, Given],
    switches: _Switches,
) -> None:
    from pgqueue.consumer import settings, start  # noqa: PLC0415
    from pgqueue.log import get_logger  # noqa: PLC0415

    get_logger("pgqueue.consumer").info(
        "consumer.started",
        queues={plan.queue: settings.sources(plan, overrides) for plan in plans},
        registered=start.describe(app),
        concurrency=process.concurrency,
        poll=process.poll,
        poll_max=process.poll_max,
        grace=process.grace,
        holder=process.holder,
        listen=switches.listen,
        most_connections=WORK_CONNECTIONS + 1 + switches.listen + 2 * process.concurrency,
    )


def _holder() -> str:
    """Name this process in the leases: for people, never as a proof of ownership, hence the random part."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(3)}"


def _leave(code: int) -> NoReturn:
    """End at once: a handler may still run, in a thread of ours or its own, whose message others may have by now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _warn_of_unread_variables() -> None:
    """Name a variable that is spelt like one of ours and that nobody reads."""
    from pgqueue.log import get_logger  # noqa: PLC0415

    for name, nearest in unread_variables(os.environ).items():
        get_logger("pgqueue.consumer").warning("variable.ignored", name=name, nearest=nearest)
