"""How the real command is started."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from tests_integration.torture.system.crew import ROOT, Member

APP = "tests_integration.torture.system.tasks:app"
PRELOAD = Path(__file__).with_name("preload")
GRACE = 5
POLL, POLL_MAX = 0.2, 0.5
CALL_TIMEOUT = 4
LEASE = 3  # of a leader


@cache
def _options() -> str:
    argv = [sys.executable, "-m", "pgqueue", "consume", "--help"]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def is_supervised() -> bool:
    """Tell whether `pgqueue consume` has a supervisor."""
    return "--processes" in _options()


def consumer(
    folder: Path,
    name: str,
    queues: list[str],
    dsns: tuple[str, str],
    options: dict[str, Any],
    extra: dict[str, str],
) -> Member:
    """Make a member that runs the real command, with the recorder in every Python of it.

    `dsns`: the way for work, and the way to Postgres itself.
    """
    argv = [sys.executable, "-m", "pgqueue", "consume", *queues, "--app", APP]
    argv += ["--concurrency", str(options["concurrency"]), "--grace", str(GRACE)]
    argv += ["--poll", str(POLL), "--poll-max", str(POLL_MAX), "--log-format", "json"]
    if "--call-timeout" in _options():
        argv += ["--call-timeout", str(CALL_TIMEOUT)]
    processes = options["processes"] if is_supervised() else 0
    if is_supervised():
        argv += ["--processes", str(processes)]
    if not options["listen"]:
        argv.append("--no-listen")
    if not options["maintain"]:
        argv.append("--no-maintain")
    environment = (
        extra
        | _environment(folder, dsns)
        | {
            "TORTURE_PROCESSES": str(processes),
            "TORTURE_SKEW": str(options["skew"]),
        }
    )
    return Member(
        name,
        "consumer",
        lambda incarnation: (argv, environment | {"TORTURE_NAME": f"{name}.{incarnation}"}),
    )


def maintainer(folder: Path, name: str, dsns: tuple[str, str]) -> Member:
    """Make a member that runs `pgqueue maintain`, with the recorder in it."""
    argv = [sys.executable, "-m", "pgqueue", "maintain", "--lease", str(LEASE), "--interval", str(LEASE / 3)]
    argv += ["--log-format", "json"]
    environment = _environment(folder, dsns) | {"TORTURE_ROLE": "maintainer"}
    return Member(
        name,
        "maintainer",
        lambda incarnation: (argv, environment | {"TORTURE_NAME": f"{name}.{incarnation}"}),
    )


def _environment(folder: Path, dsns: tuple[str, str]) -> dict[str, str]:
    return {
        "PGQUEUE_DSN": dsns[0],
        "PGQUEUE_DIRECT_DSN": dsns[1],
        "PYTHONPATH": f"{PRELOAD}:{ROOT}",
        "TMPDIR": str(folder / "tmp"),
        "TORTURE_FOLDER": str(folder),
    }
