"""Every interleaving of a few actors at one barrier, with a crash before each of their steps: it ends once, always."""

from __future__ import annotations

import pytest

from tests_integration.barrier import small_model as model
from tests_integration.barrier.small_model import ENDS, Program, ack, bury
from tests_integration.barrier.small_model import ends as ends_of

SCENES: dict[str, tuple[int, tuple[Program, ...], bool]] = {
    "last two arrive": (2, (ack(0), ack(1)), False),
    "three arrive": (3, (ack(0), ack(1), ack(2)), False),
    "one arrives twice, one once": (2, (ack(0), ack(0), ack(1)), False),
    "one arrives, one fails": (2, (ack(0), bury(1)), False),
    "two arrive, one fails": (3, (ack(0), ack(1), bury(2)), False),
    "two fail": (2, (bury(0), bury(1)), False),
    "arrival, failure and abort": (2, (ack(0), bury(1), model.abort()), False),
    "arrival and abort": (1, (ack(0), model.abort()), False),
    "arrival and two aborts": (1, (ack(0), model.abort(), model.abort()), False),
    "arrival and sweep": (1, (ack(0), model.sweep()), True),
    "arrival and two sweeps": (1, (ack(0), model.sweep(), model.sweep()), True),
    "arrival, abort and sweep": (1, (ack(0), model.abort(), model.sweep()), True),
    "arrival and a new generation": (1, (ack(0), model.replace_it()), False),
    "arrival, sweep and a new generation": (1, (ack(0), model.sweep(), model.replace_it()), True),
}
MUTANTS: dict[str, tuple[int, tuple[Program, ...], bool]] = {
    "counts without the member row": (2, (model.ack_without_member(0), model.ack_without_member(0)), False),
    "counts before the lock": (
        2, (model.ack_that_counts_before_the_lock(0), model.ack_that_counts_before_the_lock(1)), False,
    ),
    "sends after the commit": (1, (model.ack_that_sends_after_the_commit(0),), False),
    "sweeps without asking again": (1, (ack(0), model.sweep_without_asking_again()), True),
}  # fmt: skip


@pytest.mark.parametrize("scene", SCENES)
def test_a_barrier_ends_once_whatever_the_order_and_whoever_dies(scene: str) -> None:
    parts, programs, due = SCENES[scene]
    found, states = ends_of(parts, *programs, due=due)
    assert found <= ENDS
    assert (model.DONE, (model.CALLBACK,)) in found
    assert states > 20


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_model_that_is_broken_is_caught(mutant: str) -> None:
    parts, programs, due = MUTANTS[mutant]
    found, _ = ends_of(parts, *programs, due=due)
    assert not found <= ENDS


def test_actors_that_lock_in_opposite_orders_are_caught() -> None:
    def step(row: str) -> model.Step:
        return model.Step(lambda _: True, row)

    with pytest.raises(model.Deadlock):
        ends_of(1, (step("b"), step("p0")), (step("p0"), step("b")))
