"""What can't be undone is asked for, or needs --yes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.conftest import Run, ScriptedClient

VERBS = [("purge", "purge_queue"), ("drop", "drop_queue")]


@pytest.fixture(autouse=True)
def answering(client: ScriptedClient) -> None:
    held: Any = SimpleNamespace(depth=12, in_flight=2, dead=3)
    client.answers = {
        "metrics": [held],
        "purge_queue": 12,
        "drop_queue": True,
        "redrive": {17: 30, 18: 31},
    }


@pytest.mark.parametrize(("verb", "call"), VERBS)
def test_where_nobody_can_be_asked_yes_is_needed(
    run: Run, client: ScriptedClient, verb: str, call: str
) -> None:
    ended = run("queues", verb, "orders", stdin=b"orders\n")
    assert ended.code == 2
    assert "needs --yes" in ended.err
    assert client.calls == []
    assert run("queues", verb, "orders", "--yes").code == 0
    assert client.called(call) == [("orders",)]


@pytest.mark.parametrize(("verb", "call"), VERBS)
def test_the_name_is_typed_after_the_counts_were_shown(
    run: Run, client: ScriptedClient, somebody_sits_there: None, verb: str, call: str
) -> None:
    ended = run("queues", verb, "orders", stdin=b"orders\n")
    assert ended.code == 0
    assert "orders holds 12 messages (2 in flight) and 3 dead letters." in ended.err
    assert client.called(call) == [("orders",)]


@pytest.mark.parametrize(("verb", "call"), VERBS)
@pytest.mark.parametrize("typed", [b"ordres\n", b"yes\n", b"ORDERS\n"])
def test_another_name_changes_nothing(
    run: Run, client: ScriptedClient, somebody_sits_there: None, verb: str, call: str, typed: bytes
) -> None:
    ended = run("queues", verb, "orders", stdin=typed)
    assert ended.code == 2
    assert "nothing was changed" in ended.err
    assert client.called(call) == []


@pytest.mark.parametrize(("verb", "call"), VERBS)
def test_no_answer_changes_nothing(
    run: Run, client: ScriptedClient, somebody_sits_there: None, verb: str, call: str
) -> None:
    ended = run("queues", verb, "orders", stdin=b"")
    assert ended.code == 130
    assert ended.err.endswith("pgqueue: stopped\n")
    assert client.called(call) == []


def test_a_drop_that_found_nothing_says_so(run: Run, client: ScriptedClient) -> None:
    client.answers["drop_queue"] = False
    ended = run("queues", "drop", "orders", "--yes")
    assert (ended.code, ended.out) == (0, "there was no queue orders\n")


def test_all_dead_letters_are_redriven_only_with_yes_or_an_answer(run: Run, client: ScriptedClient) -> None:
    ended = run("dead", "redrive", "orders", "--all")
    assert ended.code == 2
    assert "--all needs --yes" in ended.err
    assert client.calls == []
    assert run("dead", "redrive", "orders", "--all", "--yes").code == 0
    assert client.called("redrive") == [("orders", None)]


@pytest.mark.parametrize(("typed", "code", "calls"), [(b"y\n", 0, 1), (b"n\n", 1, 0), (b"\n", 1, 0)])
def test_somebody_is_asked_before_all_are_redriven(
    run: Run, client: ScriptedClient, somebody_sits_there: None, typed: bytes, code: int, calls: int
) -> None:
    assert run("dead", "redrive", "orders", "--all", stdin=typed).code == code
    assert len(client.calls) == calls


def test_ids_that_are_no_dead_letters_are_named_and_end_with_6(run: Run, client: ScriptedClient) -> None:
    ended = run("dead", "redrive", "orders", "18", "99", "17", "55")
    assert ended.code == 6
    assert ended.out == "2 dead letters sent again\n  17 -> 30\n  18 -> 31\n"
    assert ended.err == "pgqueue: no dead letters of orders, or sent again before: 55, 99\n"


def test_an_id_given_twice_is_no_missing_one(run: Run, client: ScriptedClient) -> None:
    ended = run("dead", "redrive", "orders", "17", "18", "17", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == '{"old_id":17,"new_id":30}\n{"old_id":18,"new_id":31}\n'
