from __future__ import annotations

from typing import Any

import pytest

from pgqueue.errors import InvalidInput
from pgqueue.task.payload import TaskPayload, build, parse


def test_what_is_built_is_parsed() -> None:
    assert parse(build("t", (1,), {"a": 2})) == TaskPayload("t", [1], {"a": 2})


def test_args_and_kwargs_may_be_left_out() -> None:
    assert parse({"task": "t"}) == TaskPayload("t", [], {})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "null"), (True, "a boolean"), (1, "a number"), (1.5, "a number"), ("x", "a string"), ([], "a list"),
        ({}, "task is null"), ({"task": 1}, "task is a number"), ({"task": ""}, "task is a string"),
        ({"task": "t" * 256}, "1 to 255"), ({"task": "t", "args": {}}, "args are an object"),
        ({"task": "t", "kwargs": None}, "kwargs are null"), ({"task": "t", "x": 1}, "'x'"),
    ],
)  # fmt: skip
def test_everything_else_comes_back_as_the_reason(value: Any, why: str) -> None:
    parsed = parse(value)
    assert isinstance(parsed, str)
    assert why in parsed


@pytest.mark.parametrize("name", ["", "t" * 256])
def test_a_name_has_1_to_255_characters(name: str) -> None:
    with pytest.raises(InvalidInput):
        build(name, [], {})


def test_the_mark_of_callbacks_is_nobodys_to_send() -> None:
    with pytest.raises(InvalidInput, match="_pg_transport is reserved"):
        build("t", [], {"_pg_transport": True})


def test_the_mark_of_a_result_is_nobodys_to_send() -> None:
    with pytest.raises(InvalidInput, match="_pg_result"):
        build("t", [], {"_pg_result": 1})
