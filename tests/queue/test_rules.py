from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pgqueue.errors import InvalidInput
from pgqueue.queue.rules import SETTING_NAMES, check_kind, check_name, check_settings


@pytest.mark.parametrize(
    "name", ["a", "orders", "a1_", "select", "user", "pg_class", "public", "con", "x" * 47, "q_a"]
)
def test_a_name_that_keeps_the_rule_is_returned_as_it_is(name: str) -> None:
    """B3, B7"""
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        (None, "required"),
        (7, "must be a str, not int"),
        (b"a", "must be a str, not bytes"),
        ("x" * 48, "48 bytes, at most 47"),
        ("é" * 24, "48 bytes"),
        ("é", r"U\+00E9"),
        ("Orders", "Use 'orders'"),
        ("1a", "Start with a letter"),
        ("_a", "Start with a letter"),
        ("a-b", r"U\+002D"),
        ("a b", r"U\+0020"),
        ("a\n", r"U\+000A"),
        ("orders\n", r"U\+000A"),
        ("a\0", r"U\+0000"),
        ("a\u200b", r"U\+200B"),
        ("\u043erders", r"U\+043E"),
        ("\ud800", r"U\+D800"),
        ("a;drop table x", r"U\+003B"),
        ("a%sb", r"U\+0025"),
        ("a{b}", r"U\+007B"),
        ("a'b", r"U\+0027"),
        ('a"b', r"U\+0022"),
        ("a$b", r"U\+0024"),
        ("--help", r"U\+002D"),
        ("..", r"U\+002E"),
        ("a/b", r"U\+002F"),
        ("template_queue", "reserved"),
    ],
)
def test_a_name_that_breaks_the_rule_is_refused_with_what_breaks_it(name: Any, says: str) -> None:
    """B1-B6, B9"""
    with pytest.raises(InvalidInput, match=says) as caught:
        check_name(name)
    assert str(caught.value).isprintable()


def test_a_kind_is_known_or_left_to_the_database() -> None:
    assert check_kind(None) is None
    assert check_kind("row") == "row"
    with pytest.raises(InvalidInput, match="heap"):
        check_kind("heap")


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("vt", 30, 30),
        ("vt", 0.1, 0.1),
        ("vt", 86400, 86400),
        ("vt", timedelta(minutes=1), 60),
        ("max_reads", 1, 1),
        ("max_reads", 5.0, 5),
        ("repark_budget", 0, 0),
        ("archive", True, True),
        ("ack_commit", "sync", "sync"),
        ("durability", "safe", "safe"),
        ("retention", 0, 0),
        ("rate_limit", 0, 0),
        ("rate_limit", 0.001, 0.001),
        ("rate_burst", 5.0, 5),
        ("max_in_flight", 10_000, 10_000),
        ("max_in_flight_per_key", 1, 1),
    ],
)
def test_a_setting_within_its_limits_is_kept(name: str, value: object, kept: object) -> None:
    assert check_settings({name: value}) == {name: kept}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vt", 0),
        ("vt", -1),
        ("vt", 86401),
        ("vt", float("nan")),
        ("vt", float("inf")),
        ("vt", "30"),
        ("vt", True),
        ("vt", None),
        ("max_reads", 0),
        ("max_reads", 1.5),
        ("batch", 1001),
        ("archive", 1),
        ("archive", "true"),
        ("ack_commit", "maybe"),
        ("durability", "volatile"),
        ("backoff", 3),
        ("backoff", {"base": 1}),
        ("backoff", {"base": 1, "factor": 0.5, "cap": 10, "jitter": 0}),
        ("backoff", {"base": 1, "factor": 2, "cap": 10, "jitter": 2}),
        ("vtt", 30),
        ("rate_limit", -1),
        ("rate_limit", 0.0009),
        ("rate_limit", "10"),
        ("rate_burst", 1.5),
        ("max_in_flight", -1),
        ("max_in_flight", 10_001),
        ("max_in_flight_per_key", 1_001),
    ],
)
def test_a_bad_setting_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=name) as caught:
        check_settings({name: value})
    assert str(caught.value.fields["setting"]).startswith(name)


def test_health_stale_must_be_over_vt() -> None:
    with pytest.raises(InvalidInput, match=r"health_stale \(30 s\) must be over vt \(30 s\)"):
        check_settings({"vt": 30, "health_stale": 30})
    assert check_settings({"vt": 30, "health_stale": 31}) == {"vt": 30, "health_stale": 31}


def test_an_unknown_setting_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_settings({"visibility": 1})
    assert all(name in caught.value.cure for name in SETTING_NAMES)
