from __future__ import annotations

import pickle

import pytest

from pgqueue import errors
from pgqueue.errors import InvalidInput, PayloadError, PgQueueError, QueueNotFound

CLASSES = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PgQueueError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", CLASSES)
def test_str_is_the_message_and_ends_with_the_cure(kind: type[PgQueueError]) -> None:
    assert str(kind("it broke", cure="Mend it.")) == "it broke. Mend it."
    assert str(kind("it broke")).endswith(kind.default_cure)
    assert kind.default_cure.endswith(".")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_stands_in_the_tree_of_the_module_with_its_sqlstate(kind: type[PgQueueError]) -> None:
    (line,) = [line for line in (errors.__doc__ or "").splitlines() if kind.__name__ in line.split()]
    assert (kind.default_sqlstate or "") in line


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_pickling_with_its_fields(kind: type[PgQueueError]) -> None:
    error = kind("it broke", cure="Mend it.", sqlstate="XX000", queue="orders", path="$.a")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is kind
    assert (str(again), again.sqlstate, again.fields) == (
        str(error),
        "XX000",
        {"queue": "orders", "path": "$.a"},
    )


def test_the_sqlstates_of_our_own_class_are_distinct() -> None:
    own = [kind.__dict__["default_sqlstate"] for kind in CLASSES if "default_sqlstate" in kind.__dict__]
    states = [state for state in own if state is not None]
    assert len(states) == len(set(states)) == 15


def test_bad_input_is_a_value_error_and_misuse_a_runtime_error() -> None:
    assert issubclass(InvalidInput, ValueError)
    assert issubclass(errors.ClientMisuse, RuntimeError)


def test_named_fields_are_readable_as_attributes() -> None:
    assert PayloadError("bad", path="$.a").path == "$.a"
    assert PayloadError("bad").path == "$"
    assert QueueNotFound("none", queue="orders").queue == "orders"
    assert QueueNotFound("none").queue is None
