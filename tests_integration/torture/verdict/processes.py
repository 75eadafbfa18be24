"""Who lived when, by which pid, and how each ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests_integration.torture.verdict.faults import (
    AFTER_NS,
    FOR_EVER,
    Fault,
    Faults,
    Window,
    between,
    merged,
)


@dataclass(slots=True, eq=False)
class Process:
    """`last_t` is when it was last heard of; `ended` tells whether it wrote its own last line. `parent` is a pid."""

    name: str
    pid: int
    parent: int
    role: str
    began: int
    ended: bool
    last_t: int


@dataclass(slots=True)
class Processes:
    by_name: dict[str, Process] = field(default_factory=dict)
    died: dict[int, list[int]] = field(default_factory=dict)  # pid: when the parent noted it, ns

    def killed_by(self, process: Process, faults: list[Fault], by: int = FOR_EVER) -> Fault | None:
        """Return the fault that killed this process, or its supervisor, before that moment.

        A worker outlives its supervisor and ends in good order; but one that is stopped then gets a SIGHUP.
        """
        for fault in faults:
            named = {process.pid, process.parent} & set(fault.pids) and fault.kind != "pause"
            if named and not process.ended and process.began <= fault.begin <= by:
                return fault
        return None

    def is_declared(self, process: Process) -> bool:
        """Tell whether the parent has written down that it died."""
        return any(moment >= process.began for moment in self.died.get(process.pid, ()))

    def nobody_awake(self, role: str, faults: Faults, hung: Mapping[str, int]) -> list[Window]:
        """Return when no process of a role was alive and awake, and a moment after; merged.

        `hung`: since when some of them, by name, were in a handler that never returned.
        """
        awake: list[Window] = []
        for process in self.by_name.values():
            if process.role == role:
                born, died = self.life(process, faults.all)
                asleep = [fault.window for fault in faults.of("pause") if process.pid in fault.pids]
                asleep += [(hung[process.name], died)] if process.name in hung else []
                awake += between(merged(asleep), born, died)
        return merged((begin, end + AFTER_NS) for begin, end in between(merged(awake), 0, FOR_EVER))

    def life(self, process: Process, faults: list[Fault]) -> Window:
        """Return from when to when it lived: one that had nothing to do wrote nothing until it was killed."""
        killed = [
            fault.begin
            for fault in faults
            if process.pid in fault.pids and fault.kind != "pause" and fault.begin >= process.began
        ]
        return process.began, process.last_t if process.ended else max(process.last_t, min(killed, default=0))
