"""The processes of the load: started in groups of their own, killed, paused, started again, and all gone at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests_integration.torture.system.processes import children, is_stopped, with_token

ROOT = Path(__file__).resolve().parents[3]
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
RESTART_SECONDS = 0.2
TOKEN = "TORTURE_RUN"  # in the environment of every process of a run: how those left behind are found


@dataclass
class Member:
    """One process that the parent starts, through all its incarnations. `command` gives argv and environment."""

    name: str
    role: str
    command: Callable[[int], tuple[list[str], dict[str, str]]]
    process: subprocess.Popen[bytes] | None = None
    incarnation: int = 0
    again_at: float = 0.0
    expected: set[int] = field(default_factory=set)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Crew:
    """All members of one run. Safe to use from the threads of the nemesis."""

    def __init__(self, folder: Path, token: str, members: Sequence[Member], *, may_die: bool) -> None:
        """`may_die`: messages of this run kill the interpreter, so a command may end by itself."""
        self._folder, self._token, self._may_die = folder, token, may_die
        self._members = {member.name: member for member in members}
        self._lock = threading.RLock()
        self.failures: list[str] = []
        self.restarts = 0

    def names(self, role: str) -> list[str]:
        return [member.name for member in self._members.values() if member.role == role]

    def start(self) -> None:
        with self._lock:
            for member in self._members.values():
                self._start(member)

    def supervise(self) -> None:
        """Start again who is gone; note who ended by itself in a way that it should not."""
        with self._lock:
            for member in self._members.values():
                if member.process is None or member.alive:
                    continue
                if member.process.pid not in member.expected:
                    self._note_end(member)
                    member.expected.add(member.process.pid)
                    member.again_at = time.monotonic() + RESTART_SECONDS
                if time.monotonic() >= member.again_at:
                    self.restarts += 1
                    self._start(member)

    def signal_command(self, name: str, number: signal.Signals) -> list[int]:
        """Signal the process that we started; return who was hit, nobody when it is gone.

        With a killed supervisor die those of its workers that are stopped: the kernel hangs up on a group that
        is orphaned while it is stopped.
        """
        with self._lock:
            member = self._members[name]
            if not member.alive or member.process is None:
                return []
            if number in (signal.SIGKILL, signal.SIGTERM):
                member.expected.add(member.process.pid)
            hit = [member.process.pid]
            if number == signal.SIGKILL:
                hit += [pid for pid in children(member.process.pid) if is_stopped(pid)]
            member.process.send_signal(number)
            return hit

    def workers(self) -> list[int]:
        """Return the pids that run handlers: the children of the commands, or the commands where they have none."""
        with self._lock:
            tops = [
                m.process.pid
                for m in self._members.values()
                if m.role == "consumer" and m.alive and m.process
            ]
        found = []
        for top in tops:
            found += children(top) or [top]
        return found

    def signal_pid(self, pid: int, number: signal.Signals) -> list[int]:
        """Signal a worker."""
        with self._lock:
            for member in self._members.values():
                if member.process is not None and member.process.pid == pid and number == signal.SIGKILL:
                    member.expected.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                return [pid]
        return []

    def group(self, name: str) -> list[int]:
        """Return the pid of a command and those of its children."""
        with self._lock:
            member = self._members.get(name)
            if member is None or not member.alive or member.process is None:
                return []
            return [member.process.pid, *children(member.process.pid)]

    def stop(self, role: str) -> list[int]:
        """End all of a role by SIGTERM. Return the pids that had to be killed."""
        with self._lock:
            leaving = [self._members.pop(name) for name in self.names(role)]
        killed = []
        for member in leaving:
            if member.process is not None and member.alive:
                for pid in [member.process.pid, *children(member.process.pid)]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
                member.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for member in leaving:
            if member.process is None:
                continue
            while member.alive and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            if member.alive:
                self.failures.append(f"{member.name} did not end on SIGTERM")
                killed += [member.process.pid, *children(member.process.pid)]
                member.process.kill()
            member.process.wait()
            if member.process.pid not in member.expected:
                self._note_end(member)
        return killed

    def left_behind(self) -> list[int]:
        """Return the processes of this run that still live."""
        return with_token(f"{TOKEN}={self._token}")

    def kill_all(self) -> list[int]:
        """Kill whatever is left of this run; return who that was."""
        with self._lock:
            self._members, gone = {}, list(self._members.values())
        found = self.left_behind()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for member in gone:
            if member.process is not None:
                member.process.wait()
        return found

    def _start(self, member: Member) -> None:
        member.incarnation += 1
        argv, environment = member.command(member.incarnation)
        told = {TOKEN: self._token, "TORTURE_PARENT": str(os.getpid()), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self._folder / f"log-{member.name}.log").open("ab") as log:
            member.process = subprocess.Popen(
                argv,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | told | environment,
            )

    def _note_end(self, member: Member) -> None:
        code = member.process.returncode if member.process is not None else 0
        excused = member.role == "consumer" and self._may_die and code != 0
        asked = code == 0 and member.name not in self._members  # it was told to stop
        if not excused and not asked:
            self.failures.append(f"{member.name}.{member.incarnation} ended by itself with {code}")


def producer(folder: Path, name: str) -> Member:
    argv = [sys.executable, "-m", "tests_integration.torture.system.producer", str(folder), name]
    return Member(name, "producer", lambda incarnation: ([*argv, str(incarnation)], {}))
