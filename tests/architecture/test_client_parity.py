"""Both clients offer the same: whoever knows one knows the other."""

from __future__ import annotations

import inspect
from types import FunctionType

from pgqueue.client.aio import AsyncPgQueue
from pgqueue.client.sync import PgQueue

MOST_PUBLIC_METHODS = 25


def methods(client: type) -> dict[str, FunctionType]:
    return {n: m for n, m in vars(client).items() if isinstance(m, FunctionType) and not n.startswith("_")}


def parameters(method: FunctionType) -> list[tuple[str, object, object]]:
    """Names, kinds and defaults; the annotations may differ in the kind of connection."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    sync = {name: parameters(method) for name, method in methods(PgQueue).items()}
    assert sync == {name: parameters(method) for name, method in methods(AsyncPgQueue).items()}
    assert sync


def test_both_clients_say_the_same_of_each_method() -> None:
    for name, method in methods(PgQueue).items():
        other = methods(AsyncPgQueue)[name]
        assert inspect.getdoc(method) == inspect.getdoc(other), name


def test_methods_of_a_client_can_be_counted() -> None:
    assert len(methods(PgQueue)) <= MOST_PUBLIC_METHODS
