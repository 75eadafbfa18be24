"""Environment variables that are spelt like ours and that nobody reads."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pgqueue.settings import unknown_variables

EMBEDDED_VARIABLES = ("PGQUEUE_EMBEDDED_DIR", "PGQUEUE_EMBEDDED_IDLE_SECONDS", "PGQUEUE_PG_BIN")
# Those of the options of `consume`; a test holds them against the command, which is not imported for every other one.
CONSUME_VARIABLES = (
    "PGQUEUE_APP",
    "PGQUEUE_ARCHIVE",
    "PGQUEUE_BATCH",
    "PGQUEUE_CALL_TIMEOUT",
    "PGQUEUE_CONCURRENCY",
    "PGQUEUE_FAIL_FAST",
    "PGQUEUE_GRACE",
    "PGQUEUE_HEALTH_HOST",
    "PGQUEUE_HEALTH_PORT",
    "PGQUEUE_HEALTH_STALE",
    "PGQUEUE_LISTEN",
    "PGQUEUE_LOG_FORMAT",
    "PGQUEUE_LOG_LEVEL",
    "PGQUEUE_MAINTAIN",
    "PGQUEUE_MAX_MEGABYTES",
    "PGQUEUE_MAX_MESSAGES",
    "PGQUEUE_MAX_READS",
    "PGQUEUE_POLL",
    "PGQUEUE_POLL_MAX",
    "PGQUEUE_PROCESSES",
    "PGQUEUE_VT",
)


def unread_variables(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the PGQUEUE_* variables that no command reads, each with the nearest that one does."""
    return unknown_variables(environ, {*EMBEDDED_VARIABLES, *CONSUME_VARIABLES})


def warn_of_misspelt_variables(environ: Mapping[str, str]) -> None:
    """Say which variable was probably meant.

    One that resembles none of ours is passed over: Kubernetes sets addresses of that prefix for a service
    named pgqueue.
    """
    for name, nearest in unread_variables(environ).items():
        if nearest:
            click.echo(f"pgqueue: nothing reads the variable {name}; did you mean {nearest}?", err=True)
