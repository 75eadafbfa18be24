"""The worker processes: started, killed, started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests_integration.torture.schedule import Schedule

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 15.0


class Crew:
    """All workers of one run, by name. Each process leads its own group."""

    def __init__(self, folder: Path, schedule: Schedule, *, without: str = "") -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._incarnations = {w.name: 0 for w in schedule.workers if w.role != without}
        self._expected: set[int] = set()
        self.failures: list[str] = []

    def start(self) -> None:
        for name in self._incarnations:
            self._start(name)

    def supervise(self) -> None:
        """Start again who is gone; note who ended by itself."""
        for name, process in list(self._processes.items()):
            if process.poll() is not None:
                self._note(name, process)
                self._start(name)

    def kill(self, name: str) -> bool:
        return self._signal(name, signal.SIGKILL)

    def pause(self, name: str) -> bool:
        return self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> bool:
        return self._signal(name, signal.SIGCONT)

    def stop(self, *roles: str) -> None:
        """End the workers of these roles after their unit of work."""
        leaving = {n: p for n, p in self._processes.items() if n.split("-")[0] in roles}
        for name, process in leaving.items():
            self._signal(name, signal.SIGCONT)
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for name, process in leaving.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.failures.append(f"{name} did not end on SIGTERM")
                process.kill()
                process.wait()
            self._note(name, process)
            del self._processes[name]

    def kill_all(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        self._processes.clear()

    def _signal(self, name: str, number: signal.Signals) -> bool:
        process = self._processes.get(name)
        if process is None or process.poll() is not None:
            return False
        if number == signal.SIGKILL:
            self._expected.add(process.pid)
        process.send_signal(number)
        return True

    def _start(self, name: str) -> None:
        self._incarnations[name] += 1
        argv = [sys.executable, "-m", "tests_integration.torture.worker"]
        argv += [str(self._folder), name, str(self._incarnations[name])]
        with (self._folder / f"stderr-{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                argv,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            )

    def _note(self, name: str, process: subprocess.Popen[bytes]) -> None:
        if process.returncode != 0 and process.pid not in self._expected:
            self.failures.append(f"{name} ended with {process.returncode}")
