"""Everything that a network does to a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests_integration.torture.system.schedule import Fault
from tests_integration.torture.system.stage import Hit, Stage, Strike, wait_for
from tests_integration.torture.system.wire import Wire

LEAST_SECONDS = 0.3


def cut(name: str) -> Strike:
    @contextmanager
    def strike(stage: Stage, _: Fault) -> Iterator[Hit]:
        wait_for(lambda: stage.ground.wires[name].cut() or None, what=f"connection of {name}")
        yield Hit(of=_of(name))

    return strike


def lasting(name: str, begin: Callable[[Wire, Fault], object]) -> Strike:
    """Make a fault that holds until the wire is healed; the next one of that wire waits for it."""

    @contextmanager
    def strike(stage: Stage, fault: Fault) -> Iterator[Hit]:
        with stage.locks[f"wire {name}"]:
            wire = stage.ground.wires[name]
            begin(wire, fault)
            yield Hit(of=_of(name), least_seconds=LEAST_SECONDS)
            wire.heal()

    return strike


def _of(name: str) -> str:
    return "producers" if name == "producers" else "consumers"


def _strikes(name: str) -> dict[str, Strike]:
    return {
        f"cut_{name}": cut(name),
        f"lose_replies_{name}": lasting(name, lambda wire, fault: wire.lose_replies(int(fault.value))),
        f"stall_{name}": lasting(name, lambda wire, _: wire.stall()),
        f"black_hole_{name}": lasting(name, lambda wire, _: wire.black_hole()),
    }


STRIKES: dict[str, Strike] = _strikes("producers") | _strikes("consumers") | _strikes("listeners")
