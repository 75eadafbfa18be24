from __future__ import annotations

from typing import Any

import pytest

import pgqueue
from pgqueue.errors import ConfigurationError, InvalidInput
from pgqueue.task.context import Context
from pgqueue.task.poison import Handled, Hopeless, PoisonAnswer, TryLater
from pgqueue.task.registry import App


def test_the_answers_are_public_names() -> None:
    assert (pgqueue.Handled, pgqueue.Hopeless, pgqueue.TryLater) == (Handled, Hopeless, TryLater)
    assert all(issubclass(answer, PoisonAnswer) for answer in (Handled, Hopeless, TryLater))


@pytest.mark.parametrize("delay", [-1, float("nan"), 10**12, "5", True])
def test_a_delay_outside_the_limits_is_refused(delay: Any) -> None:
    with pytest.raises(InvalidInput):
        TryLater(delay)


def bad_hooks() -> dict[str, Any]:
    def generator(ctx: Context):  # type: ignore[no-untyped-def]
        yield 1

    def without() -> None: ...
    def with_two(ctx: Context, more: int) -> None: ...

    return {
        "is a lambda": lambda _: None,
        "is no function": Handled,
        "generator": generator,
        "only argument": without,
        "as its only argument": with_two,
    }


@pytest.mark.parametrize("fault", list(bad_hooks()))
def test_what_cant_be_a_hook_is_refused_at_registration(fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        App().on_poison()(bad_hooks()[fault])

    def t() -> None: ...

    app = App()
    with pytest.raises(ConfigurationError, match=fault):
        app.task("t", queue="orders", on_poison=bad_hooks()[fault])(t)
    assert app.tasks == {}


def test_a_queue_and_an_app_have_one_hook_each() -> None:
    app = App()

    def hook(ctx: Context) -> Any: ...

    app.on_poison()(hook)
    app.on_poison("orders")(hook)
    for queue in (None, "orders"):
        with pytest.raises(ConfigurationError, match=r"second poison hook .*test_poison_hooks\.py"):
            app.on_poison(queue)(hook)
    with pytest.raises(InvalidInput):
        app.on_poison("Orders!")
