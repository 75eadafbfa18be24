"""The process that starts, watches and replaces the workers of `pgqueue consume`."""

from __future__ import annotations

import asyncio
import os
import sys

from pgqueue.cli import exit_code
from pgqueue.consumer.model import RenewalRunner
from pgqueue.daemon.model import FleetSettings
from pgqueue.daemon.supervisor import Codes, Supervisor

CALL_TIMEOUT = 10.0
# A worker that ends so before any has consumed would say the same again.
REFUSALS = frozenset({exit_code.USAGE, exit_code.CONFIGURATION, exit_code.UNREACHABLE, exit_code.SCHEMA})
FINAL = frozenset({exit_code.SCHEMA})  # also after it has consumed: a migration came meanwhile


def supervise(fleet: FleetSettings, dsn: str | None) -> int:
    """Run workers by the command line of this process until a signal comes; return the exit code."""
    return asyncio.run(_supervise(fleet, dsn))


async def _supervise(fleet: FleetSettings, dsn: str | None) -> int:
    def open_runner() -> RenewalRunner:
        from pgqueue.client.sync import PgQueue  # noqa: PLC0415 - a supervisor that never needs it stays small

        return PgQueue(dsn, role="supervisor", max_connections=1, call_timeout=CALL_TIMEOUT)

    command = [sys.executable, *sys.orig_argv[1:]]
    codes = Codes(REFUSALS, FINAL, exit_code.CRASHING)
    code = await Supervisor(fleet, command, os.environ, open_runner, codes).run()
    if code:  # at once: a call that hangs in a thread must not keep the process
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
