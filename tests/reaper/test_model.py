from __future__ import annotations

import pytest

from pgqueue.errors import ConfigurationError
from pgqueue.leadership.model import Runner
from pgqueue.reaper import calls
from pgqueue.reaper.chores import CHORES
from pgqueue.reaper.model import Chore, Done, Moved


async def nothing(_runner: Runner, _queue: str) -> Moved:
    return Moved(0, again=False)


@pytest.mark.parametrize(
    ("name", "every", "most_steps", "named"),
    [
        ("Sweep", 1, 1, "name"),
        ("", 1, 1, "name"),
        ("x" * 64, 1, 1, "name"),
        ("sweep", 0, 1, "every"),
        ("sweep", -1, 1, "every"),
        ("sweep", float("nan"), 1, "every"),
        ("sweep", 86_401, 1, "every"),
        ("sweep", 1, 0, "most_steps"),
    ],
)
def test_bad_chores_fail_at_construction(name: str, every: float, most_steps: int, named: str) -> None:
    """U128"""
    with pytest.raises(ConfigurationError) as caught:
        Chore(name, every, nothing, most_steps=most_steps)
    assert caught.value.fields == {"setting": named}


def test_shipped_chores_have_names_of_their_own() -> None:
    assert len({chore.name for chore in CHORES}) == len(CHORES)


def test_calls_carry_what_the_functions_take() -> None:
    for call in (
        calls.begin(CHORES[0], "me", 1),
        calls.end(CHORES[0], 1, Done(5, "no", more=True)),
        calls.forget_finished("orders"),
        calls.queues(),
        calls.sweeps(),
    ):
        assert call.sql.count("%s") == len(call.params)
        assert not call.may_commit_async or call.sql.endswith(")"), "the runner appends a condition to it"
