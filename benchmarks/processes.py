"""Programs of `benchmarks.clients` as child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
END_SECONDS = 30.0


def run_client(module: str, *arguments: object) -> str:
    """Run a program to its end and return what it printed. Ends the harness when it fails."""
    argv = [sys.executable, "-m", f"benchmarks.clients.{module}", *map(str, arguments)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{module} {arguments[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def running(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the background; SIGTERM at the end. Ends the harness when it doesn't end well."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *argv],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            ended = process.poll()
            process.terminate()
            try:
                code = process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        if ended is not None or code not in {0, -15}:
            log.seek(0)
            raise SystemExit(f"{argv[0]} ended with {code}:\n{log.read().decode()[-2000:]}")


def wait_for_report(path: Path, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    """Return the JSON that a program writes when it is done; an empty one when it ended or took too long."""
    return dict(json.loads(path.read_text())) if wait_for_file(path, process, seconds) else {}


def wait_for_file(path: Path, process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Tell whether a file appeared before the program ended and before the time was over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if path.is_file():
            return True
        time.sleep(0.01)
    return False
