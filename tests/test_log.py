from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from pgqueue.errors import ConfigurationError
from pgqueue.log import EVENTS, configure, get_logger


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger("pgqueue")
    before = root.handlers[:], root.level, root.propagate
    yield
    root.handlers[:], root.level, root.propagate = before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines_of(fmt: str, stream: io.StringIO, level: str = "info") -> str:
    configure(fmt, level, stream=stream)
    get_logger("pgqueue.test").info("call.repeated", queue="orders", n=7)
    return stream.getvalue()


def test_json_where_nobody_watches() -> None:
    line = json.loads(lines_of("auto", io.StringIO()))
    assert (line["event"], line["queue"], line["n"], line["level"]) == ("call.repeated", "orders", 7, "info")
    assert line["timestamp"].endswith("Z")


def test_lines_for_people_on_a_terminal() -> None:
    text = lines_of("auto", Terminal())
    assert "call.repeated" in text
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(text)


def test_the_format_can_be_chosen() -> None:
    assert json.loads(lines_of("json", Terminal()))["queue"] == "orders"
    assert "queue=orders" in lines_of("console", io.StringIO())


def test_the_level_holds() -> None:
    assert lines_of("json", io.StringIO(), "warning") == ""


def test_the_last_configuration_counts_and_nothing_is_said_twice() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("json", stream=first)
    assert len(lines_of("json", second).splitlines()) == 1
    assert first.getvalue() == ""


@pytest.mark.parametrize("setting", [("xml", "info"), ("json", "loud")])
def test_an_unknown_format_or_level_is_refused(setting: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        configure(*setting)


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_secrets_are_masked(fmt: str) -> None:
    stream = io.StringIO()
    configure(fmt, stream=stream)
    get_logger("pgqueue.test").warning(
        "connect.failed",
        target="postgresql://app:HUSH@h/d",
        error="connection to host=h password=HUSH failed",
        api_token="HUSH",
        db_password="HUSH",
    )
    assert "HUSH" not in stream.getvalue()
    assert stream.getvalue().count("***") == 4


def test_an_exception_is_logged_with_its_traceback_as_json() -> None:
    stream = io.StringIO()
    configure("json", stream=stream)
    try:
        int("boom")
    except ValueError:
        get_logger("pgqueue.test").exception("call.repeated")
    assert "ValueError: invalid literal" in json.loads(stream.getvalue())["exception"]


def test_without_configure_events_go_to_the_standard_loggers(caplog: pytest.LogCaptureFixture) -> None:
    get_logger("pgqueue.test").warning("call.repeated", queue="orders")
    (record,) = caplog.records
    assert record.name == "pgqueue.test"
    assert isinstance(record.msg, dict)
    assert record.msg["queue"] == "orders"


def test_every_event_is_called_noun_and_past_participle_and_lists_its_fields() -> None:
    for name, fields in EVENTS.items():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", name)
        assert len(fields) == len(set(fields))
