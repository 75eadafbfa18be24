from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgqueue.errors import InvalidInput
from pgqueue.task.identity import Arg, Identity, Subject, is_found, printable, resolve, settle, stored

ORDER = Identity(key="order_id", scope="org")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("identity", "args", "kwargs", "names", "expected"),
    [
        (ORDER, [], {"order_id": 7, "org": "acme"}, (), Subject("7", "acme")),
        (ORDER, [7, "acme"], {}, ("order_id", "org"), Subject("7", "acme")),
        (ORDER, [7], {"org": "acme"}, ("order_id", "org"), Subject("7", "acme")),
        (ORDER, [1], {"order_id": 2}, ("order_id",), Subject("2", None)),
        (Identity(key="order.id"), [], {"order": {"id": "x"}}, ("order",), Subject("x")),
        (Identity(key="order.id"), [{"id": "x"}], {}, ("order",), Subject("x")),
        (Identity(key=("order_id", "order.id")), [], {"order": {"id": 1}}, (), Subject("1")),
        (Identity(key=Arg(2), scope=Arg(0)), ["org", None, 9], {}, (), Subject("9", "org")),
    ],
)
def test_kwargs_come_before_paths_before_positions(
    identity: Identity, args: Any, kwargs: Any, names: tuple[str, ...], expected: Subject
) -> None:
    assert resolve(identity, args, kwargs, names) == expected


def test_zero_is_a_real_key() -> None:
    assert resolve(ORDER, [], {"order_id": 0}).key == "0"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        True,
        False,
        1.5,
        [],
        {},
        [1],
        {"a": 1},
        "x" * 256,
        "a\x00b",
        "\ud800",
        pytest.param(10**5000, id="huge"),
    ],
)
def test_what_is_no_key_is_not_found(value: Any) -> None:
    assert resolve(ORDER, [], {"order_id": value}).key is None


@pytest.mark.parametrize(
    ("args", "kwargs"), [(None, None), ("text", "text"), (7, []), ({}, 7), ([], {}), ([[]], {})]
)
def test_arguments_of_the_wrong_shape_are_not_found(args: Any, kwargs: Any) -> None:
    identity = Identity(key=("order_id", "order.id", Arg(3)), scope=Arg(9))
    assert resolve(identity, args, kwargs, ("order_id", "order")) == Subject()


@given(args=JSON, kwargs=JSON, headers=JSON)
def test_it_never_raises_whatever_the_payload_is(args: Any, kwargs: Any, headers: Any) -> None:
    identity = Identity(key=("a", "a.b.c", Arg(1)), scope=("b", Arg(0)))
    found = settle(stored(headers), resolve(identity, args, kwargs, ("a", "b")))
    assert all(value is None or isinstance(value, str) for value in (found.key, found.scope))


def test_the_stored_value_wins_part_by_part() -> None:
    kept = stored({"pgqueue-key": "kept"})
    assert settle(kept, Subject("other", "org")) == Subject("kept", "org")


def test_only_what_was_found_is_stored() -> None:
    assert Subject("7", None).headers() == {"pgqueue-key": "7"}
    assert stored(Subject("7", "acme").headers()) == Subject("7", "acme")


@pytest.mark.parametrize("make", [lambda: Arg(-1), lambda: Arg(True), lambda: Identity(key=()), lambda: Identity(key="a..b"),
                                  lambda: Identity(key=""), lambda: Identity(key="a", scope=cast("Any", (7,)))])  # fmt: skip
def test_a_source_that_could_never_be_found_is_refused(make: Any) -> None:
    with pytest.raises(InvalidInput):
        make()


def test_a_name_is_shown_as_one_short_line() -> None:
    assert printable("a\nb\x1b[2J") == "a b\N{REPLACEMENT CHARACTER}[2J"
    assert len(printable("x" * 10_000)) == 255


@pytest.mark.parametrize(
    ("identity", "subject", "found"),
    [
        (None, Subject(), True), (ORDER, Subject("7", "acme"), True), (ORDER, Subject("7"), False),
        (ORDER, Subject(None, "acme"), False), (Identity(key="a"), Subject("7"), True), (Identity(key="a"), Subject(), False),
    ],
)  # fmt: skip
def test_an_identity_is_found_when_each_declared_part_is(
    identity: Identity | None, subject: Subject, found: bool
) -> None:
    assert is_found(identity, subject) is found
