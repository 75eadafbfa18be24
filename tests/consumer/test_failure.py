from __future__ import annotations

import pytest

from pgqueue.consumer.failure import describe


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


def test_secrets_are_masked_in_the_message_and_in_the_lines_of_the_traceback() -> None:
    def log_in(password: str) -> None:
        raise ConnectionError(f"postgresql://app:{password}@db/x refused {{'token': '{password}'}}")

    with pytest.raises(ConnectionError) as raised:
        log_in(password="hunter2")
    text = describe(raised.value)
    assert "hunter2" not in text
    assert "postgresql://app:***@db/x refused" in text
    assert "in log_in" in text


def test_a_line_of_code_without_end_is_cut() -> None:
    code = compile("x = 1/0;" + "y = 2;" * 5000, "generated.py", "exec")
    with pytest.raises(ZeroDivisionError) as raised:
        exec(code, {})  # noqa: S102
    assert len(describe(raised.value)) < 2000
