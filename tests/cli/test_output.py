"""What is printed can be read by people, and by programs in every locale."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pgqueue.cli.output import WIDEST, print_json, print_rows
from pgqueue.message.model import WaitingMessage
from tests.cli.conftest import Run, ScriptedClient

THEN = datetime(2030, 1, 1, 12, tzinfo=UTC)


def waiting(msg_id: int, message: object) -> WaitingMessage:
    return WaitingMessage(
        "orders", msg_id, "ready", 0, 0, 0, None, THEN, None, THEN, None, None, message, None
    )


def test_json_is_one_object_a_line_with_every_column(run: Run, client: ScriptedClient) -> None:
    client.answers["peek"] = [waiting(1, {"text": "two\nlines \u2028 é"}), waiting(2, None)]
    lines = run("peek", "orders", "--json").out.split("\n")
    assert lines.pop() == ""
    found = [json.loads(line) for line in lines]
    assert [row["message"] for row in found] == [{"text": "two\nlines \u2028 é"}, None]
    columns = (
        "msg_id state read_ct release_ct priority group_key enqueued_at last_read_at vt holder error message"
    )
    assert {tuple(row) for row in found} == {(*columns.split(), "headers", "broken")}


def test_nothing_is_no_line_of_json_and_a_sentence_for_people(run: Run, client: ScriptedClient) -> None:
    client.answers["peek"] = []
    assert run("peek", "orders", "--json").out == ""
    assert run("peek", "orders").out == "no such messages in orders\n"


def test_a_table_is_in_line_and_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(
        [{"a": None, "b": "x" * 100}, {"a": [1], "b": True}], ("a", "b"), as_json=False, empty="nothing"
    )
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown == ["a    b", f"---  {'-' * WIDEST}", f"-    {'x' * (WIDEST - 1)}…", "[1]  true"]


def test_a_message_can_neither_write_lines_nor_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"a": "\x1b[2Jred\n\u202e"}], ("a",), as_json=False, empty="")
    assert capsys.readouterr().out.splitlines()[-1] == " [2Jred"


def test_times_are_utc_and_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    tokyo = THEN.astimezone(timezone(timedelta(hours=9)))
    print_rows([{"a": tokyo}], ("a",), as_json=False, empty="")
    assert capsys.readouterr().out.splitlines()[-1] == "2030-01-01 12:00:00Z"


def test_json_is_utf8_where_the_terminal_is_not(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"name": "é€"})
    assert capfdbinary.readouterr().out == '{"name":"é€"}\n'.encode()
