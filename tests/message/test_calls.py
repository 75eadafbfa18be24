from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue.call import Call, Repeat
from pgqueue.errors import InvalidInput, PayloadError
from pgqueue.message import calls
from pgqueue.message.model import Outcome

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ALL: list[Call[Any]] = [
    calls.send("orders", 1),
    calls.send_batch("orders", [1], headers=[None]),
    calls.read("orders"),
    calls.read_or_await("orders", 2),
    calls.ring("orders"),
    calls.pop("orders"),
    calls.peek("orders"),
    calls.delete("orders", 1, 2),
    calls.archive("orders", 1, 2),
    calls.release("orders", 1, 2),
    calls.set_vt("orders", 1, 30, 2),
    calls.retry("orders", 1, 5, "boom", 2),
    calls.bury("orders", 1, "why", None, 2),
    calls.delete_batch("orders", [1], [2]),
    calls.archive_batch("orders", [1], [2]),
    calls.release_batch("orders", [1], [2]),
    calls.set_vt_batch("orders", [1], 30, [2]),
    calls.retry_batch("orders", [1], [5], ["boom"], [2]),
    calls.bury_batch("orders", [1], ["why"], None, [2]),
    calls.begin_step("orders", 1, 2, "mail"),
]


@pytest.mark.parametrize("call", ALL, ids=lambda call: call.name)
def test_a_call_names_its_verb_and_has_one_value_a_placeholder(call: Call[Any]) -> None:
    verb = call.name.removeprefix("message.")
    assert re.search(rf"pgqueue\.{verb}(__orders)?\(", call.sql)
    assert call.sql.count("%s") == len(call.params)
    assert call.queue == "orders"


def test_every_exported_verb_is_covered_here() -> None:
    assert {call.name.removeprefix("message.") for call in ALL} == set(calls.__all__)


def test_only_what_costs_a_redelivery_may_commit_asynchronously() -> None:
    allowed = {call.name.removeprefix("message.") for call in ALL if call.may_commit_async}
    assert allowed == {"read", "read_or_await", "ring", "set_vt", "set_vt_batch", "delete", "delete_batch"}


@pytest.mark.parametrize("call", [call for call in ALL if call.may_commit_async], ids=lambda call: call.name)
def test_sql_that_may_commit_asynchronously_ends_with_its_from_item(call: Call[Any]) -> None:
    assert re.fullmatch(r"select [^()]* from pgqueue\.\w+\(.*\)", call.sql)


def test_settling_is_repeated_only_with_a_receipt() -> None:
    fenced = [call for call in ALL if re.search(r"receipts? =>", call.sql)]
    fenced.remove(ALL[-1])
    assert len(fenced) == 12
    assert {call.repeat for call in fenced} == {Repeat.ALWAYS}
    assert ALL[-1].repeat is Repeat.NEVER, "a second run would find the step of the first one done"
    unfenced: list[Call[Any]] = [
        calls.delete("orders", 1),
        calls.archive("orders", 1),
        calls.release("orders", 1),
        calls.set_vt("orders", 1, 30),
        calls.retry("orders", 1, 5),
        calls.bury("orders", 1, "why"),
        calls.delete_batch("orders", [1]),
        calls.retry_batch("orders", [1], [5]),
    ]
    assert {call.repeat for call in unfenced} == {Repeat.NEVER}


def test_receipts_are_given_for_every_message_or_for_none() -> None:
    with pytest.raises(InvalidInput, match=r"receipts\[1\] is None"):
        calls.delete_batch("orders", [1, 2], [3, None])
    with pytest.raises(InvalidInput, match="1 elements for 2"):
        calls.delete_batch("orders", [1, 2], [3])


def test_a_send_is_repeated_only_with_a_key() -> None:
    assert calls.send("orders", 1).repeat is Repeat.NEVER
    assert calls.send("orders", 1, key="a").repeat is Repeat.ALWAYS
    assert calls.send_batch("orders", [1, 2], keys=["a", None]).repeat is Repeat.NEVER
    assert calls.send_batch("orders", [1, 2], keys=["a", "b"]).repeat is Repeat.ALWAYS


def test_a_read_is_repeated_only_after_a_proven_rollback_and_a_pop_never() -> None:
    assert calls.read("orders").repeat is Repeat.IF_ROLLED_BACK
    assert calls.pop("orders").repeat is Repeat.NEVER
    assert calls.peek("orders").repeat is Repeat.ALWAYS


@pytest.mark.parametrize("verb", [calls.release("orders", 1, 2), calls.retry("orders", 1, 5, None, 2)])
def test_a_repeated_release_or_retry_counts_gone_and_stale_as_done(verb: Call[Outcome]) -> None:
    for seen in ("gone", "stale", "done"):
        assert verb.result([(seen,)], repeated=True) is Outcome.DONE
    assert verb.result([("stale",)]) is Outcome.STALE


@pytest.mark.parametrize(
    "verb",
    [
        calls.release_batch("orders", [1, 2], [3, 4]),
        calls.retry_batch("orders", [1, 2], [5, 5], None, [3, 4]),
    ],
)
def test_a_repeated_batch_of_them_too(verb: Call[dict[int, Outcome]]) -> None:
    rows: list[tuple[Any, ...]] = [(1, "gone"), (2, "done")]
    assert verb.result(rows, repeated=True) == {1: Outcome.DONE, 2: Outcome.DONE}
    assert verb.result(rows) == {1: Outcome.GONE, 2: Outcome.DONE}


@pytest.mark.parametrize("verb", [calls.delete("orders", 1, 2), calls.bury("orders", 1, "why", None, 2)])
def test_other_repeated_verbs_say_what_they_found(verb: Call[Outcome]) -> None:
    assert verb.result([("gone",)], repeated=True) is Outcome.GONE


def test_a_hostile_row_costs_neither_its_neighbours_nor_the_batch() -> None:
    def row(msg_id: int, message: str, headers: str | None = None) -> tuple[Any, ...]:
        return (msg_id, 1, NOW, NOW, NOW, message, headers, 7, 0, 0, None)

    good, digits, deep, bad_headers, null = calls.read("orders").parse(
        [
            row(1, '{"a": 1}', '{"h": 1}'),
            row(2, "9" * 5001),
            row(3, "[" * 2000 + "]" * 2000),
            row(4, "1", '{"h": 1e999}'),
            row(5, "null"),
        ]
    )
    assert (good.message, good.headers, good.broken, good.receipt) == ({"a": 1}, {"h": 1}, None, 7)
    for broken in (digits, deep, bad_headers):
        assert broken.message is None
        assert "can't be decoded" in (broken.broken or "")
    assert (null.message, null.broken) == (None, None)


def test_durations_become_seconds_and_json_becomes_text() -> None:
    call = calls.send("orders", {"a": 1}, headers={"b": 2}, delay=timedelta(minutes=1))
    assert call.params == ('{"a":1}', '{"b":2}', 60.0, None, None, 0)
    batch = calls.send_batch("orders", [1, None, {"a": []}])
    assert batch.params[0] == '[1,null,{"a":[]}]'


def test_the_path_of_a_bad_value_names_the_message_of_the_batch() -> None:
    with pytest.raises(PayloadError) as caught:
        calls.send_batch("orders", [{}, {"when": NOW}])
    assert caught.value.path == "$[1].when"


def test_a_batch_takes_messages_as_deep_as_a_send_does() -> None:
    deep: list[Any] = []
    for _ in range(127):
        deep = [deep]
    calls.send("orders", deep)
    calls.send_batch("orders", [deep])
    with pytest.raises(PayloadError):
        calls.send_batch("orders", [[deep]])


@pytest.mark.parametrize(
    "make",
    [
        lambda: calls.send("Orders", 1),
        lambda: calls.send("orders", 1, delay=-1),
        lambda: calls.send("orders", 1, priority=10),
        lambda: calls.send("orders", 1, key=""),
        lambda: calls.send_batch("orders", [1], keys=["a", "b"]),
        lambda: calls.read("orders", qty=0),
        lambda: calls.read("orders", vt=0),
        lambda: calls.set_vt("orders", 1, 0),
        lambda: calls.peek("orders", state="lost"),
        lambda: calls.delete("orders", "1"),  # type: ignore[arg-type]
        lambda: calls.retry_batch("orders", [1], []),
        lambda: calls.bury("orders", 1, None),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments_never_become_a_call(make: Any) -> None:
    """U9"""
    with pytest.raises(InvalidInput):
        make()


@pytest.mark.parametrize("delay", [0, 0.0, timedelta(0)])
def test_a_send_rings_after_its_commit_and_a_delayed_one_does_not(delay: Any) -> None:
    for now in (calls.send("orders", 1, delay=delay), calls.send_batch("orders", [1], delay=delay)):
        assert now.after_commit == calls.ring("orders")
        assert "pgqueue.is_awaited__orders()" in now.sql
    assert calls.send("orders", 1, delay=1).after_commit is None
    assert calls.send_batch("orders", [1], delay=timedelta(seconds=1)).after_commit is None
    assert calls.ring("mails") != calls.ring("orders")


@pytest.mark.parametrize("wait", [0, -1, 3601, float("nan")])
def test_a_wait_without_sense_is_refused(wait: float) -> None:
    with pytest.raises(InvalidInput, match="wait"):
        calls.read_or_await("orders", wait)
