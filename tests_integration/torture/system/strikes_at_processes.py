"""Kills and pauses of producers, workers and supervisors."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests_integration.torture.system.processes import is_alive
from tests_integration.torture.system.schedule import Fault
from tests_integration.torture.system.stage import VICTIM_SECONDS, Hit, Stage, Strike, chosen, wait_for

LEADER_SECONDS = (
    15.0  # the lease of one that is dead, of those in consumers too, and its successor's election
)
LEADER = "select split_part(holder, ':', 2)::integer from pgqueue.leaders where name = 'reaper' and state = 'leads'"
END_SECONDS = 25.0  # grace, what the database needs to take the last acks, and a pause in between


@contextmanager
def kill_worker(stage: Stage, fault: Fault) -> Iterator[Hit]:
    def kill() -> list[int] | None:
        victim = chosen(fault.pick, stage.crew.workers())
        return stage.crew.signal_pid(victim, signal.SIGKILL) or None if victim else None

    yield Hit(wait_for(kill))


def kill_command(role: str) -> Strike:
    @contextmanager
    def strike(stage: Stage, fault: Fault) -> Iterator[Hit]:
        yield Hit(_signal_one(stage, fault, role, signal.SIGKILL))

    return strike


@contextmanager
def terminate_command(stage: Stage, fault: Fault) -> Iterator[Hit]:
    """Stop a consumer as a rolling deploy would; it has to end by itself."""
    pids = _signal_one(stage, fault, "consumer", signal.SIGTERM)
    yield Hit()
    deadline = time.monotonic() + END_SECONDS
    while is_alive(pids[0]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{pids[0]} did not end within {END_SECONDS:g} s of SIGTERM")
        time.sleep(0.05)


def pause(victims: Callable[[Stage, Fault], list[int]], seconds: float = VICTIM_SECONDS) -> Strike:
    @contextmanager
    def strike(stage: Stage, fault: Fault) -> Iterator[Hit]:
        def stop() -> list[int] | None:
            return [
                pid for pid in victims(stage, fault) if stage.crew.signal_pid(pid, signal.SIGSTOP)
            ] or None

        stopped = wait_for(stop, seconds)
        yield Hit(stopped)
        for pid in stopped:
            stage.crew.signal_pid(pid, signal.SIGCONT)

    return strike


def _one_worker(stage: Stage, fault: Fault) -> list[int]:
    victim = chosen(fault.pick, stage.crew.workers())
    return [victim] if victim else []


def _one_command(role: str) -> Callable[[Stage, Fault], list[int]]:
    return lambda stage, fault: stage.crew.group(chosen(fault.pick, stage.crew.names(role)) or "")


def _signal_one(stage: Stage, fault: Fault, role: str, number: signal.Signals) -> list[int]:
    def send() -> list[int] | None:
        name = chosen(fault.pick, stage.crew.names(role))
        return stage.crew.signal_command(name, number) or None if name else None

    return wait_for(send)


def _leader(stage: Stage, _: Fault) -> list[int]:
    """Return who has the lease of the reaper, whatever command it is."""
    rows = stage.sql(LEADER)
    return [pid for (pid,) in rows if isinstance(pid, int) and is_alive(pid)]


@contextmanager
def kill_leader(stage: Stage, fault: Fault) -> Iterator[Hit]:
    def kill() -> list[int] | None:
        found = _leader(stage, fault)
        return [pid for pid in found if stage.crew.signal_pid(pid, signal.SIGKILL)] or None

    yield Hit(wait_for(kill, LEADER_SECONDS, "leader"))


STRIKES: dict[str, Strike] = {
    "kill_worker": kill_worker,
    "kill_supervisor": kill_command("consumer"),
    "kill_producer": kill_command("producer"),
    "terminate_command": terminate_command,
    "kill_maintainer": kill_command("maintainer"),
    "kill_leader": kill_leader,
    "pause_leader": pause(_leader, LEADER_SECONDS),
    "pause_worker": pause(_one_worker),
    "pause_command": pause(_one_command("consumer")),
    "pause_producer": pause(_one_command("producer")),
}
