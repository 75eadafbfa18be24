"""A throw-away Redis, for the peer that needs one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.bouncer import free_port
from benchmarks.cpu import ServerCpu

PROGRAM = "redis-server"
START_SECONDS, END_SECONDS = 10.0, 10.0


@dataclass(frozen=True, slots=True)
class Redis:
    """Where it listens, and what it uses."""

    url: str
    cpu: ServerCpu


def missing() -> str:
    """Return why there can be no Redis, with the cure; an empty string when there can."""
    if shutil.which(PROGRAM) is None:
        return "Redis is not installed. On Debian and Ubuntu, as root: apt-get install redis-server"
    return ""


def version() -> str:
    """The version that would run; an empty string when there is none."""
    if missing():
        return ""
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    return next((word.removeprefix("v=") for word in said.split() if word.startswith("v=")), "")


@contextmanager
def redis_server() -> Iterator[Redis]:
    """Run one with the settings that it has without a file: a snapshot now and then, no log of its writes."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pgqueue-bench-redis-") as folder:
        argv = [PROGRAM, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(port, process)
            yield Redis(f"redis://127.0.0.1:{port}/0", ServerCpu(process.pid))
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"PING\r\n")
                if probe.recv(16).startswith(b"+PONG"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("Redis doesn't start")
