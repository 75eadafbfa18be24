"""Processes that use the shared server, as a user's programs would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pgqueue.db import embedded
from tests_integration.fixtures.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pgqueue.db import embedded
from tests_integration.fixtures.waiting import eventually
print(embedded.ensure(listen="listen" in sys.argv), flush=True)
sys.stdin.read()
"""


class Holder:
    """A process that joins the shared server and stays until it is told to go, or is killed."""

    def __init__(self, *, listen: bool = False) -> None:
        self.process = _python(HOLD, *(["listen"] if listen else []))
        self.dsn = ""

    def wait(self) -> str:
        """Wait until it has joined; return what `ensure` returned."""
        assert self.process.stdout is not None
        self.dsn = self.process.stdout.readline().strip()
        assert self.dsn, self.process.communicate()[1]
        return self.dsn

    def leave(self) -> str:
        """End it in order; return what it said on stderr."""
        _, said = self.process.communicate("", timeout=30)
        assert self.process.returncode == 0, said
        return said

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=30)


class World:
    """The shared server of one test and the processes around it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._holders: list[Holder] = []

    @property
    def home(self) -> Path:
        return self.state / f"pg{embedded.find_binaries().major}"

    def holders(self, count: int, *, listen: bool = False) -> list[Holder]:
        """Start that many at once, and wait until all have joined."""
        started = [Holder(listen=listen) for _ in range(count)]
        self._holders += started
        for holder in started:
            holder.wait()
        return started

    def holder(self) -> Holder:
        return self.holders(1)[0]

    def reapers(self) -> list[int]:
        """The pids of the processes that wait to stop this server."""
        marks = {b"pgqueue-embedded-reaper", os.fsencode(self.home)}
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if marks <= _words(path)]

    def log(self) -> str:
        return (self.home / "server.log").read_text()

    def close(self) -> None:
        for holder in self._holders:
            if holder.process.poll() is None:
                holder.kill()
        embedded.stop()
        eventually(lambda: not self.reapers(), 15)


def cli(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `pgqueue embedded` with these words."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "pgqueue", "embedded", *words],
        env=_environment() | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def cli_json(*words: str) -> dict[str, Any]:
    done = cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def in_child(uid: int, gid: int, work: Callable[[], object]) -> object:
    """Fork, become that user, and return what `work` gives (JSON) or fail with its error.

    A fork needs no interpreter that the user could execute, and no source tree that it could read.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() != uid:
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
            answer = {"value": work()}
        except BaseException as error:  # noqa: BLE001 - the child must not go on in pytest
            answer = {"error": f"{type(error).__name__}: {error}"}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found = json.load(pipe)
    os.waitpid(child, 0)
    assert "error" not in found, found["error"]
    return found["value"]


def _words(process: Path) -> set[bytes]:
    try:
        return set((process / "cmdline").read_bytes().split(b"\0"))
    except OSError:
        return set()


def _python(code: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *words],
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}
