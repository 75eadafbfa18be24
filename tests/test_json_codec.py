from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import math
import uuid
from collections import OrderedDict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgqueue.errors import PayloadError
from pgqueue.json_codec import MAX_DEPTH, decode, encode


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    A = "a"


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


@dataclasses.dataclass
class Order:
    n: int = 1


Point = namedtuple("Point", "x y")  # noqa: PYI024 - a subclass of tuple is what is tested


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner)
    ),
    max_leaves=20,
)


@given(JSON)
def test_what_is_encoded_comes_back_equal(value: Any) -> None:
    assert decode(encode(value)) == value


BAD: list[tuple[str, Any]] = [
    ("datetime", dt.datetime(2030, 1, 1, tzinfo=dt.UTC)),
    ("date", dt.date(2030, 1, 1)),
    ("timedelta", dt.timedelta(1)),
    ("uuid", uuid.UUID(int=1)),
    ("decimal", decimal.Decimal("1.5")),
    ("bytes", b"x"),
    ("bytearray", bytearray(b"x")),
    ("memoryview", memoryview(b"x")),
    ("set", {1}),
    ("frozenset", frozenset({1})),
    ("dataclass", Order()),
    ("enum", Colour.RED),
    ("int enum", Number.ONE),
    ("str enum", Word.A),
    ("str subclass", Text("x")),
    ("int subclass", Whole(1)),
    ("dict subclass", OrderedDict(a=1)),
    ("named tuple", Point(1, 2)),
    ("generator", (n for n in range(1))),
    ("object", object()),
    ("nan", math.nan),
    ("infinity", math.inf),
    ("minus infinity", -math.inf),
    ("2**64", 2**64),
    ("2**70", 2**70),
    ("-2**63-1", -(2**63) - 1),
    ("NUL", "a\0b"),
    ("lone surrogate", "a\ud800b"),
    ("int key", {1: 2}),
    ("None key", {None: 2}),
    ("str enum key", {Word.A: 2}),
    ("NUL key", {"a\0b": 2}),
    ("surrogate key", {"\udfff": 2}),
]


@pytest.mark.parametrize("value", [value for _, value in BAD], ids=[name for name, _ in BAD])
def test_what_json_cannot_say_is_refused_with_its_path_and_a_cure(value: Any) -> None:
    """B41, B42"""
    for payload, path in (
        (value, "$"),
        ({"items": [0, None, {}, {"when": value}]}, "$.items[3].when"),
        (["\\u0000", (1.5, value)], "$[1][1]"),
    ):
        with pytest.raises(PayloadError) as caught:
            encode(payload)
        assert caught.value.path.removesuffix(" (a key)") == path
        assert caught.value.cure.endswith(".")
        assert caught.value.sqlstate == "PQ003"


@pytest.mark.parametrize(
    "value",
    [
        True,
        1,
        1.5,
        "x",
        None,
        [],
        {},
        "\\u0000",
        'quote " and \\',
        2**64 - 1,
        -(2**63),
        1.797e308,
        "\U0001f600",
    ],
)
def test_plain_values_pass_at_the_edges_too(value: Any) -> None:
    assert decode(encode(value)) == value
    assert decode(encode({"a": [value]})) == {"a": [value]}


def test_a_tuple_becomes_a_list() -> None:
    assert decode(encode((1, (2,)))) == [1, [2]]


def test_a_bool_stays_a_bool() -> None:
    assert encode([True, 1, False, 0]) == "[true,1,false,0]"


def test_depth_is_bounded() -> None:
    assert decode(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    for too_deep in (nested(MAX_DEPTH + 1), nested(5_000), endless()):
        with pytest.raises(PayloadError, match="nested deeper than 128"):
            encode(too_deep)


@pytest.mark.parametrize("text", ["9" * 5001, "1e400", "-1e400", "[" * 2000 + "]" * 2000, '{"a": 1e5000}'])
def test_stored_json_that_python_cannot_hold_is_a_payload_error(text: str) -> None:
    with pytest.raises(PayloadError, match="can't be decoded"):
        decode(text)
