"""Load by pgbench: fixed work or fixed time, some scripts at once."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.server import Server

TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
APPLICATION = "pgbench"


@dataclass(frozen=True, slots=True)
class Load:
    """One pgbench: `clients` at once run `script`, each `transactions` times or all for `seconds`."""

    script: str
    clients: int = 1
    transactions: int | None = None
    seconds: float | None = None
    commit: str = "sync"
    schema: str = "pg_catalog"
    variables: Mapping[str, object] = field(default_factory=dict)
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many transactions were done, at which rate (without the time to connect)."""

    transactions: int
    tps: float

    @property
    def seconds(self) -> float:
        return self.transactions / self.tps


def run(server: Server, load: Load) -> Outcome:
    return run_together(server, [load])[0]


def run_together(server: Server, loads: Sequence[Load]) -> list[Outcome]:
    """Run the loads at the same time and wait for all. Ends the harness when one of them fails."""
    with ExitStack() as stack:
        started = [_start(server, load, stack) for load in loads]
        outputs = [process.communicate() for process in started]
    for process, (_, trouble) in zip(started, outputs, strict=True):
        if process.returncode != 0:
            raise SystemExit(f"pgbench failed:\n{trouble[-2000:]}")
    return [parse(output) for output, _ in outputs]


def parse(output: str) -> Outcome:
    """Read the summary that pgbench prints. Raises SystemExit when it has none, or says that nothing was done."""
    done, tps = DONE.search(output), TPS.search(output)
    if done is None or tps is None:
        raise SystemExit(f"pgbench printed no result (was the time too short? --seconds):\n{output[-1000:]}")
    return Outcome(int(done.group(1)), float(tps.group(1)))


def _start(server: Server, load: Load, stack: ExitStack) -> subprocess.Popen[str]:
    script = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".sql"))  # noqa: SIM115 - the stack closes it
    script.write(load.script)
    script.flush()
    commit = "off" if load.commit == "async" else "on"
    argv = [str(server.pgbench), "-n", "-M", "prepared", "-j", str(load.threads), "-c", str(load.clients)]
    if load.transactions is not None:
        argv += ["-t", str(load.transactions)]
    else:
        argv += ["-T", str(max(1, round(load.seconds or 1)))]
    argv += ["-f", script.name]
    for name, value in load.variables.items():
        argv += ["-D", f"{name}={value}"]
    options = f"-c synchronous_commit={commit} -c search_path={load.schema}"
    environment = {**os.environ, "PGOPTIONS": options}
    return subprocess.Popen(
        [*argv, server.conninfo],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
