from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgqueue.consumer.redaction import MASK, SECRET_WORDS, conceal, redact


def test_secrets_are_masked_by_name_at_any_depth_and_long_values_are_cut() -> None:
    payload: dict[str, Any] = {
        "Authorization": "a", "x-api-key": "b", "apiKey": "c", "db_password": "d", "id": 7, "text": "y" * 300,
        "list": [{"access_token": "e", "secret": {"f": "g"}}], "many": list(range(100)),
    }  # fmt: skip
    shown = redact(payload)
    assert [shown[name] for name in ("Authorization", "x-api-key", "apiKey", "db_password", "id")] == [
        MASK
    ] * 4 + [7]
    assert shown["list"] == [{"access_token": MASK, "secret": MASK}]
    assert shown["text"].endswith("(300 characters)")
    assert shown["many"][50:] == ["… (100 items)"]
    assert payload["Authorization"] == "a"


def test_nesting_without_end_is_cut() -> None:
    value: Any = 1
    for _ in range(10_000):
        value = [value]
    assert "…" in repr(redact(value))


def test_a_payload_that_is_wide_at_every_level_is_cut_as_a_whole() -> None:
    wide: Any = 1
    for _ in range(5):
        wide = [wide] * 40
    assert len(repr(redact(wide))) < 20_000
    assert len(repr(redact({str(n): {str(m): m for m in range(99)} for n in range(99)}))) < 20_000


def test_a_text_is_shown_without_the_passwords_of_dsns_and_without_control_characters() -> None:
    assert (
        redact("postgresql://app:hunter2@db/x \x1b[2J")
        == "postgresql://app:***@db/x \N{REPLACEMENT CHARACTER}[2J"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://app:hunter2@db:5432/x", "postgresql://app:***@db:5432/x"),
        ("host=db password=hunter2 user=app", "host=db password=*** user=app"),
        ("password='hun\\'ter 2' user=app", "password=*** user=app"),
        ("{'api_key': 'hunter2', 'id': 7}", "{'api_key': ***, 'id': 7}"),
        ('{"Authorization": "Bearer hunter2"}', '{"Authorization": ***}'),
        ("Authorization: Bearer hunter2, again", "Authorization: ***, again"),
        ("{'secret': {'a': 'hunter2'}}\nnext", "{'secret': ***\nnext"),
        ("Charge(token=hunter2)", "Charge(token=***)"),
        ("[type=missing, input_value={'a': 'hunter2'}, input_type=dict]", "[type=missing, input_value=***"),
        ("KeyError: 'token'", "KeyError: 'token'"),
        ("see http://docs:80/x for @app", "see http://docs:80/x for @app"),
    ],
)
def test_a_text_shows_nothing_under_a_secret_looking_name(text: str, shown: str) -> None:
    assert conceal(text) == shown


@pytest.mark.parametrize(
    "text", ["token" * 2000, "://" * 3000, "a" * 8192, "token" + ":" * 8000, "secret=" * 1000]
)
def test_a_text_made_to_be_slow_is_not(text: str) -> None:
    for _ in range(20):
        conceal(text)


@given(
    name=st.sampled_from(SECRET_WORDS),
    value=st.text("abcdefgh0123456789", min_size=8),
    quote=st.sampled_from("'\""),
)
def test_a_value_never_survives_beside_its_name(name: str, value: str, quote: str) -> None:
    assert value not in conceal(f"{{{quote}my_{name}_1{quote}: {quote}{value}{quote}}}")
    assert value not in repr(redact({f"my_{name}": value, "deep": [{name.upper(): [value]}]}))
