"""Structured logs: events `noun.past_participle` with fields, on stderr.

As a library pgqueue logs through the standard loggers `pgqueue.*` and configures nothing. The command line
calls
`configure`. Passwords are masked in every field.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import Processor

from pgqueue.errors import ConfigurationError
from pgqueue.settings import mask

# Each event with its fields. Events of other rooms are named here too: one list for whoever reads or alerts
# on them.
EVENTS: dict[str, tuple[str, ...]] = {
    "argument.ignored": ("argument", "why"),
    "batch.failed": ("queue", "messages", "msg_ids", "error"),
    "beat.failed": (),
    "call.repeated": ("call", "queue", "error", "sqlstate"),
    "callback.skipped": ("queue", "msg_id", "attempt", "outcome"),
    "claim.release_failed": ("name", "key", "error"),
    "connect.failed": ("role", "target", "error", "attempt"),
    "connection.dropped": ("role", "reason"),
    "consumer.crashed": ("part",),
    "consumer.started": (
        "queues",
        "registered",
        "concurrency",
        "poll",
        "poll_max",
        "grace",
        "holder",
        "listen",
        "maintain",
        "most_connections",
    ),
    "consumer.stopped": ("exit_code", "forced", "unsettled"),
    "handlers.abandoned": ("messages", "msg_ids"),
    "health.failed": ("path",),
    "health.opened": ("host", "port"),
    "health.unavailable": ("host", "port", "error"),
    "hook.deferred": ("queue", "msg_id", "task", "attempt", "key", "scope", "error", "retry_in"),
    "leader.elected": ("name", "holder", "number"),
    "leader.lost": ("name", "holder", "why"),
    "leader.refused": ("name", "error"),
    "leader.resigned": ("name", "holder", "given_back"),
    "leader.unelected": ("name", "error", "failures"),
    "leader.unresigned": ("name", "holder", "error"),
    "lease.renewal_failed": ("queue", "messages", "error", "failing_for", "lapsed"),
    "listener.connected": ("queues",),
    "listener.lost": ("target", "error"),
    "listener.refused": ("target", "error"),
    "message.buried": ("queue", "msg_id", "task", "attempt", "key", "scope", "reason", "error"),
    "message.failed": ("queue", "msg_id", "task", "attempt", "key", "scope", "error", "retry_in", "settled"),
    "message.lease_lost": ("queue", "msg_id", "attempt", "outcome", "verb"),
    "message.outlived": ("queue", "msg_id", "attempt", "ran_for"),
    "message.postponed": ("queue", "msg_id", "task", "attempt", "key", "scope", "why", "retry_in"),
    "message.poisoned": ("queue", "msg_id", "task", "attempt", "key", "scope", "payload"),
    "message.unrecognised": ("queue", "msg_id", "task", "retry_in"),
    "queue.paused": ("queue", "by", "why", "at", "until"),
    "queue.resumed": ("queue",),
    "read.failed": ("queue", "error", "failures"),
    "read.resumed": ("queue",),
    "reaper.started": ("holder", "lease", "interval", "chores"),
    "reaper.stopped": (),
    "ring.failed": ("queue", "error"),
    "upkeep.failed": ("queue", "call", "error"),
    "settings.changed": ("queue", "before", "after"),
    "settings.refused": ("queue", "error"),
    "schedule.disabled": ("schedule", "error"),
    "schedule.failed": ("schedule", "error"),
    "schema.refused": ("error",),
    "settle.failed": ("queue", "verb", "messages", "msg_id", "error", "given_up"),
    "slots.missed": ("schedule", "first", "until", "catch_up"),
    "stop.requested": ("signal", "running", "waiting"),
    "supervisor.gave_up": ("crashes",),
    "supervisor.lost": (),
    "supervisor.started": ("processes", "pid", "grace"),
    "supervisor.stopped": ("exit_code",),
    "sweep.crashed": ("chore",),
    "sweep.failed": ("chore", "error", "failures"),
    "sweep.finished": ("chore", "moved"),
    "sweep.resumed": ("chore",),
    "variable.ignored": ("name", "nearest"),
    "worker.died": ("worker", "pid", "how", "uptime", "held", "restart_in"),
    "worker.replaced": ("worker", "pid", "reason", "why"),
    "worker.settled": ("worker", "queue", "verb", "messages"),
    "worker.silent": ("worker", "pid", "seconds"),
    "worker.started": ("worker", "pid"),
    "worker.stopped": ("worker", "pid", "how"),
    "worker.unrenewed": ("worker", "queue", "error"),
    "worker.unstarted": ("worker", "error", "restart_in"),
    "worker.unsettled": ("worker", "queue", "verb", "error"),
}

# A program that configures no logging must not see our events as raw dicts on stderr.
logging.getLogger("pgqueue").addHandler(logging.NullHandler())

FORMATS = ("auto", "console", "json")
LEVELS = ("debug", "info", "warning", "error")
_SECRET_WORDS = ("password", "passwd", "secret", "token", "authorization", "api_key", "apikey")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger `name`, which should start with `pgqueue.`."""
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            redact,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast("structlog.stdlib.BoundLogger", logger)


def configure(fmt: str = "auto", level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send the logs of `pgqueue.*` to stderr.

    "auto" writes lines for people on a terminal and JSON elsewhere. May be called again; the last call counts.
    Raises: ConfigurationError for an unknown format or level.
    """
    if fmt not in FORMATS:
        raise ConfigurationError(f"log format can't be {fmt!a}", cure=f"Give one of: {', '.join(FORMATS)}.")
    if level.lower() not in LEVELS:
        raise ConfigurationError(f"log level can't be {level!a}", cure=f"Give one of: {', '.join(LEVELS)}.")
    target = stream or sys.stderr
    for_people = fmt == "console" or (fmt == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=_rendering(target, for_people=for_people))
    )
    root = logging.getLogger("pgqueue")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask fields that are named like secrets, and passwords inside of DSNs anywhere."""
    for name, value in event.items():
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "***"
        elif isinstance(value, str) and ("://" in value or "=" in value):
            event[name] = mask(value)
    return event


def _rendering(target: TextIO, *, for_people: bool) -> list[Processor]:
    shared: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if for_people:
        return [*shared, structlog.dev.ConsoleRenderer(colors=target.isatty())]
    return [*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)]
