"""Plays the faults of a schedule, each in a thread of its own, and writes down when each began and ended."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

from tests_integration.torture.system import strikes_at_processes, strikes_at_servers, strikes_at_wires
from tests_integration.torture.system.crew import Crew
from tests_integration.torture.system.ground import Ground
from tests_integration.torture.system.recorder import History
from tests_integration.torture.system.schedule import Fault, Schedule
from tests_integration.torture.system.stage import Hit, Stage, Strike

STRIKES: dict[str, Strike] = {
    **strikes_at_processes.STRIKES,
    **strikes_at_wires.STRIKES,
    **strikes_at_servers.STRIKES,
}
HEAL_SECONDS = 90.0


class Nemesis:
    """`start` lets it begin; `heal` ends what lasts and returns when everything is as it was."""

    def __init__(self, folder: Path, ground: Ground, crew: Crew, schedule: Schedule) -> None:
        self._history = History(folder, "nemesis", "nemesis")
        self._stage = Stage(ground, crew)
        self._faults = schedule.faults
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.failures: list[str] = []

    def start(self, began: float) -> None:
        for fault in self._faults:
            thread = threading.Thread(target=self._play, args=[fault, began], name=fault.fault, daemon=True)
            self._threads.append(thread)
            thread.start()

    def heal(self) -> None:
        self._over.set()
        deadline = time.monotonic() + HEAL_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self.failures.append(f"{thread.name} was not healed")
        self._history.close()

    def _play(self, fault: Fault, began: float) -> None:
        if self._over.wait(max(0.0, began + fault.at - time.monotonic())):
            self.failures.append(f"fault {fault.id}, {fault.fault}, came too late")
            return
        strike = STRIKES[fault.fault](self._stage, fault)
        told = {"fault_id": fault.id, "fault": fault.fault, "class": fault.kind, "value": fault.value}
        number = self._history.invoke("fault_begin", **told)
        try:
            hit = strike.__enter__()
        except BaseException as error:  # noqa: BLE001 - in a thread: whatever it is, it is told at the end
            self._history.fail(number, "fault_begin", error, **told)
            self.failures.append(f"{fault.fault} could not be done: {error!r}")
            return
        self._history.ok(number, "fault_begin", **told, **_said(hit))
        if fault.until is not None:
            self._over.wait(max(hit.least_seconds, began + fault.until - time.monotonic()))
        self._end(strike, fault)

    def _end(self, strike: AbstractContextManager[Hit], fault: Fault) -> None:
        try:
            strike.__exit__(None, None, None)
        except BaseException as error:  # noqa: BLE001 - as above
            self.failures.append(f"{fault.fault} was not healed: {error!r}")
        self._history.note("fault_end", fault_id=fault.id)


def _said(hit: Hit) -> dict[str, object]:
    return {"pids": hit.pids, "of": hit.of, "loses_async": hit.loses_async}
