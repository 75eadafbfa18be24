from __future__ import annotations

from typing import Any

import pytest

from pgqueue.consumer.failure import describe, redact


def caught(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as raised:
        raise error
    return raised.value


def deep(n: int) -> int:
    return deep(n + 1)


def test_it_names_the_type_the_message_and_the_place() -> None:
    text = describe(caught(ValueError("no order 7")))
    assert text.startswith("ValueError: no order 7\n")
    assert "test_failure.py" in text


def test_a_str_that_raises_is_survived() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise SystemExit

    assert describe(Hostile()) == "Hostile: <str() raised SystemExit>"


@pytest.mark.parametrize("message", ["x" * 10**7, "ä" * 10**5, "\x00\x1b[31m\x07\ud800" * 10**4])
def test_it_is_bounded_and_clean(message: str) -> None:
    text = describe(caught(ValueError(message)))
    assert len(text.encode()) <= 8192
    assert not set(text) & set("\x00\x1b\x07\ud800")


def test_a_recursion_and_a_thousand_causes_stay_small() -> None:
    with pytest.raises(RecursionError) as raised:
        deep(0)
    assert len(describe(raised.value)) < 2000
    chain: BaseException = ValueError("first")
    for _ in range(1000):
        chain, chain.__cause__ = ValueError("next"), chain
    assert len(describe(chain)) < 2000


def test_secrets_are_masked_by_name_at_any_depth_and_long_values_are_cut() -> None:
    payload: dict[str, Any] = {
        "Authorization": "a", "x-api-key": "b", "apiKey": "c", "db_password": "d", "id": 7, "text": "y" * 300,
        "list": [{"access_token": "e", "secret": {"f": "g"}}], "many": list(range(100)),
    }  # fmt: skip
    shown = redact(payload)
    assert [shown[name] for name in ("Authorization", "x-api-key", "apiKey", "db_password", "id")] == [
        "***"
    ] * 4 + [7]
    assert shown["list"] == [{"access_token": "***", "secret": "***"}]
    assert shown["text"].endswith("(300 characters)")
    assert len(shown["many"]) == 50
    assert payload["Authorization"] == "a"


def test_nesting_without_end_is_cut() -> None:
    value: Any = 1
    for _ in range(10_000):
        value = [value]
    assert "…" in repr(redact(value))
