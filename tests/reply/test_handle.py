"""Waiting for a reply, with a clock that a test moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.errors import ClientMisuse, InvalidInput, ReplyFailed, ReplyTimeout
from pgqueue.message import calls as message_calls
from pgqueue.reply import Handle, request, request_async
from pgqueue.reply.handle import LONGEST_PAUSE, LOOK_SECONDS
from pgqueue.reply.model import Reply, ReplyState, Requested

ID = "7e9ccb4e-3a50-4d3e-a0e3-111111111111"
WAITING = Reply(ReplyState.WAITING, None, None, None)
DONE = Reply(ReplyState.DONE, None, None, {"n": 1})


class Target:
    """Answers what a test tells, and then the same again and again."""

    def __init__(self, *answers: Any, in_transaction: bool = False) -> None:
        self.answers, self.calls, self.in_transaction = list(answers), list[Call[Any]](), in_transaction

    def run(self, call: Call[Any]) -> Any:
        self.calls.append(call)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class AsyncTarget(Target):
    async def run(self, call: Call[Any]) -> Any:
        return super().run(call)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass only by pauses; keep them."""
    kept: list[float] = []

    async def sleep(seconds: float) -> None:
        kept.append(seconds)

    monkeypatch.setattr(time, "monotonic", lambda: 100 + sum(kept))
    monkeypatch.setattr(time, "sleep", kept.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return kept


def handle(target: Target) -> Handle:
    return Handle(ID, "orders", 7, target)


async def ask(target: Target, seconds: float, *, is_async: bool) -> Any:
    one = handle(target)
    return await one.result_async(seconds) if is_async else one.result(seconds)


both = pytest.mark.parametrize(("make", "is_async"), [(Target, False), (AsyncTarget, True)])
Make = Callable[..., Target]


@both
async def test_result_asks_until_there_is_a_reply(pauses: list[float], make: Make, *, is_async: bool) -> None:
    target = make(WAITING, WAITING, WAITING, DONE)
    assert await ask(target, 30, is_async=is_async) == {"n": 1}
    assert pauses == sorted(pauses)
    assert len(pauses) == 3


@both
async def test_result_gives_up_at_its_time_out_and_says_what_to_do(
    pauses: list[float], make: Make, *, is_async: bool
) -> None:
    target = make(WAITING)
    with pytest.raises(ReplyTimeout, match="message 7 of queue orders has no reply after 20 s") as caught:
        await ask(target, 20, is_async=is_async)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.cure
    assert sum(pauses) == pytest.approx(20)
    assert max(pauses) == LONGEST_PAUSE
    assert len(target.calls) < 20 / LONGEST_PAUSE + 20


def test_no_time_at_all_is_one_look(pauses: list[float]) -> None:
    target = Target(DONE)
    assert handle(target).result(0) == {"n": 1}
    with pytest.raises(ReplyTimeout):
        handle(Target(WAITING)).result(0)
    assert pauses == []
    assert [call.params for call in target.calls] == [(ID, True)]


def test_a_lost_message_is_looked_for_at_first_now_and_then_and_at_last(pauses: list[float]) -> None:
    target = Target(WAITING)
    with pytest.raises(ReplyTimeout):
        handle(target).result(10.2)
    looks = [bool(call.params[1]) for call in target.calls]
    assert looks[0]
    assert looks[-1]
    assert not looks[1]
    assert 10.2 / (LOOK_SECONDS + LONGEST_PAUSE) <= sum(looks) <= 10.2 / LOOK_SECONDS + 2
    assert pauses


@pytest.mark.parametrize(
    ("reply", "reason", "text"),
    [
        (Reply(ReplyState.FAILED, "poison", "boom", None), "poison", "poison: boom"),
        (Reply(ReplyState.FAILED, "hopeless", None, None), "hopeless", "hopeless"),
        (Reply(ReplyState.FAILED, "lost", "the message is gone", None), "lost", "gone"),
        (Reply(ReplyState.EXPIRED, None, None, None), "expired", "ttl"),
        (Reply(ReplyState.UNKNOWN, None, None, None), "unknown", "not committed"),
    ],
)
def test_a_failed_request_says_why(pauses: list[float], reply: Reply, reason: str, text: str) -> None:
    with pytest.raises(ReplyFailed, match=text) as caught:
        handle(Target(reply)).result()
    assert (caught.value.reason, caught.value.fields["msg_id"]) == (reason, 7)
    assert pauses == []


def test_nobody_waits_inside_of_the_transaction_that_sends(pauses: list[float]) -> None:
    target = Target(DONE, in_transaction=True)
    with pytest.raises(ClientMisuse, match="committed"):
        handle(target).result()
    assert target.calls == []
    assert handle(target).on(Target(DONE)).result() == {"n": 1}


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1", True, None])
def test_a_time_out_is_seconds(timeout: Any) -> None:
    with pytest.raises(InvalidInput, match="timeout"):
        handle(Target(DONE)).result(timeout)


async def test_a_request_returns_its_handle() -> None:
    call = message_calls.send("orders", 1)
    target, other = Target(Requested(ID, 7)), AsyncTarget(Requested(ID, 7))
    assert request(target, call, ttl=5) == handle(target)
    assert await request_async(other, call, ttl=5) == handle(other)
    assert [one.calls[0].params[2] for one in (target, other)] == [5.0, 5.0]
