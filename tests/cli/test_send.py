"""What `pgqueue send` reads, and what it says of what it can't read."""

from __future__ import annotations

import sys
from typing import Any

import click
import pytest

from pgqueue.cli import send
from tests.cli.conftest import Run, ScriptedClient


@pytest.fixture(autouse=True)
def answering(client: ScriptedClient) -> None:
    client.answers = {"send": 7, "send_many": [7, 8, 9]}


def sent(client: ScriptedClient) -> list[Any]:
    return [message for _, message in client.called("send") + client.called("send_many")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"id": 7}', {"id": 7}),
        ("null", None),
        ('"text"', "text"),
        ("-5", -5),
        (" [1, 2.5] \r\n", [1, 2.5]),
        ('"é\\u20ac"', "é€"),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_a_json_value_comes_from_the_argument_or_standard_input(
    run: Run, client: ScriptedClient, text: str, value: Any
) -> None:
    assert run("send", "orders", "--", text).out == "7\n"
    assert run("send", "orders", stdin=text.encode()).out == "7\n"
    assert run("send", "orders", stdin=b"\xef\xbb\xbf" + text.encode()).code == 0
    assert sent(client) == [value] * 3


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b"", "standard input is empty"),
        (b" \n\t\n", "standard input is empty"),
        (b'{"a": 1,\n "b" 2}', "no JSON at line 2, column 6: Expecting ':' delimiter"),
        (b"hello", "A string needs its quotes"),
        (b"{} {}", "no JSON at line 1, column 4: Extra data"),
        (b"\x00\x01\xff\xfe", "not UTF-8 at byte 2"),
        (b"\x89PNG\r\n", "not UTF-8 at byte 0"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8 at byte 0"),
        (b"[" * 100_000, "can't be read as JSON"),
        (b"9" * 5_000, "can't be read as JSON"),
        (b"'single'", "no JSON at line 1, column 1"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(
    run: Run, client: ScriptedClient, stdin: bytes, said: str
) -> None:
    ended = run("send", "orders", stdin=stdin)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
    assert client.calls == []


@pytest.mark.parametrize("text", ["", "{", "hello", "\ufeff"])
def test_a_bad_argument_is_named(run: Run, client: ScriptedClient, text: str) -> None:
    assert "MESSAGE is" in run("send", "orders", text).err
    assert "--headers is" in run("send", "orders", "1", "--headers", text.strip("\ufeff")).err
    assert client.calls == []


def test_lines_are_sent_in_one_call_in_their_order(run: Run, client: ScriptedClient) -> None:
    ended = run("send", "orders", "--lines", "--headers", '{"a": 1}', stdin=b'1\r\n\n"two"\n{"three": 3}')
    assert (ended.code, ended.out.split()) == (0, ["7", "8", "9"])
    ((verb, arguments, named),) = client.calls
    assert (verb, arguments) == ("send_many", ("orders", [1, "two", {"three": 3}]))
    assert named["headers"] == [{"a": 1}] * 3


def test_one_bad_line_is_named_and_nothing_is_sent(run: Run, client: ScriptedClient) -> None:
    ended = run("send", "orders", "--lines", stdin=b"1\n2\n\n4\n5\n6\n{7}\n8\n")
    assert (ended.code, ended.out) == (2, "")
    assert "line 7 of standard input is no JSON at column 2" in ended.err
    assert "nothing was sent" in ended.err
    assert client.calls == []


def test_no_lines_are_no_success(run: Run, client: ScriptedClient) -> None:
    assert run("send", "orders", "--lines", stdin=b"\n\n").code == 2
    assert client.calls == []


def test_more_lines_than_fit_into_one_call_are_refused_with_the_way_to_split_them(
    run: Run, client: ScriptedClient
) -> None:
    ended = run("send", "orders", "--lines", stdin=b"1\n" * 10_001)
    assert ended.code == 2
    assert "10001 messages, at most 10000" in ended.err
    assert "split -l 10000" in ended.err
    assert client.calls == []


class Endless:
    """Standard input that never ends; counts what was asked for."""

    def __init__(self) -> None:
        self.buffer = self
        self.given = 0

    def read1(self, size: int = -1) -> bytes:
        assert 0 < size <= 100_000, "read without a limit"
        self.given += size
        return b" " * size

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("options", [(), ("--lines",)])
def test_standard_input_is_read_up_to_a_limit(
    run: Run, client: ScriptedClient, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    endless = Endless()
    monkeypatch.setattr(send, "MAX_INPUT", 1_000)
    monkeypatch.setattr(sys, "stdin", endless)
    with pytest.raises(click.UsageError, match="more than 1000 bytes"):
        send.command.main(["orders", *options], standalone_mode=False)
    assert endless.given <= 1_000 + send.PIECE
    assert client.calls == []


def test_where_somebody_sits_nothing_is_waited_for(
    run: Run, client: ScriptedClient, somebody_sits_there: None
) -> None:
    ended = run("send", "orders", stdin=b"1")
    assert ended.code == 2
    assert "pipe a JSON value" in ended.err


def test_ids_are_printed_as_json_lines(run: Run) -> None:
    ended = run("send", "orders", "--lines", "--json", stdin=b"1\n2\n3\n")
    assert ended.out.splitlines() == [f'{{"queue":"orders","msg_id":{n}}}' for n in (7, 8, 9)]


def test_options_reach_the_client(run: Run, client: ScriptedClient) -> None:
    words = ("--key", "k", "--group-key", "g", "--priority", "3", "--delay", "1e3")
    assert run("send", "orders", "1", *words).code == 0
    ((_, _, named),) = client.calls
    assert named == {"headers": None, "key": "k", "group_key": "g", "priority": 3, "delay": 1000.0}
