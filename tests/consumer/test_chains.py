"""Messages that owe a reply or another message: how they are acked, and what their handlers are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.consumer import calls
from pgqueue.consumer.barriers import as_settled
from pgqueue.consumer.execution import Execution
from pgqueue.consumer.model import Doors, Held, Verb, Verdict
from pgqueue.consumer.outcome import ARCHIVE, DELETE, RELEASE
from pgqueue.consumer.settle import Settler
from pgqueue.errors import ClientMisuse, ContinuationFailed, DatabaseError, StaleReceipt
from pgqueue.message.model import Outcome
from pgqueue.reply.model import MAX_RESULT_BYTES, RESULT_MARK, Follows
from pgqueue.task.answer import Bury, Retry
from pgqueue.task.context import Context
from pgqueue.task.registry import App
from tests.consumer.conftest import PLAN, AsyncScript, Clock, NoTransactions, SyncScript, held

REPLY = {"pgqueue-reply": True}
ON_SUCCESS = {"pgqueue-on-success": {"queue": "mails", "message": 1}}
ON_ERROR = {"pgqueue-on-error": {"queue": "alarms", "message": 1}}
BURY = Verdict(Verb.BURY, reason="bad", error="why")
RETRY = Verdict(Verb.RETRY, delay=5, error="why")
REFUSED = ContinuationFailed("on_success can't be sent", cure="Make the queue.")


def task(**kwargs: Any) -> dict[str, Any]:
    return {"task": "t", "args": [], "kwargs": kwargs}


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def execution(app: App, clock: Clock) -> Execution:
    doors = Doors(AsyncScript(), lambda _: SyncScript(), NoTransactions())
    return Execution(app, doors, clock, lambda: None, lambda: 0.5)


def run(execution: Execution, one: Held) -> Verdict:
    prepared = execution.prepare(one)
    assert not isinstance(prepared, Verdict)
    (verdict,) = execution.ends(prepared)
    return verdict


async def settle(work: AsyncScript, *ends: tuple[Held, Verdict]) -> list[Call[Any]]:
    work.on("reply.ack_with", *[{}] * 10)
    settler = Settler(work, chance=lambda: 0.5)
    for end in ends:
        settler.add(*end)
    await settler.settle_waiting()
    return work.calls


@pytest.mark.parametrize("headers", [REPLY, ON_SUCCESS, REPLY | ON_SUCCESS | ON_ERROR])
@pytest.mark.parametrize("verdict", [DELETE, ARCHIVE])
def test_an_ack_that_owes_something_is_another_verb(headers: dict[str, Any], verdict: Verdict) -> None:
    assert as_settled(held(headers=headers), verdict).verb is Verb.ACK_WITH


@pytest.mark.parametrize("headers", [None, {}, {"x": 1}, ON_ERROR])
def test_any_other_ack_stays_as_it_is(headers: dict[str, Any] | None) -> None:
    assert as_settled(held(headers=headers), DELETE) is DELETE


@pytest.mark.parametrize("verdict", [BURY, RETRY, RELEASE])
def test_only_an_ack_brings_results(verdict: Verdict) -> None:
    """What a burial owes the database sees to itself."""
    assert as_settled(held(headers=REPLY | ON_SUCCESS), verdict) is verdict


def test_a_part_of_a_barrier_is_a_part_whatever_else_its_headers_say() -> None:
    told = {"pgqueue-part": {"barrier": "b", "generation": 7, "part": 1}}
    assert as_settled(held(headers=told | REPLY), DELETE).verb is Verb.ARRIVE


async def test_acks_are_gathered_with_what_they_bring_and_ring_where_something_follows(
    work: AsyncScript,
) -> None:
    ones = [held(msg_id=1, headers=REPLY), held(msg_id=2, headers=ON_SUCCESS), held(msg_id=3)]
    ones[0].result = '{"n":1}'
    found = await settle(work, *[(one, DELETE) for one in ones])
    assert [call.name for call in found] == ["reply.ack_with", "message.delete_batch"]
    assert found[0].params == ("orders", [1, 2], [1001, 2001], '[{"n":1},null]', False)
    assert [call.may_commit_async for call in found] == [False, True]
    assert found[0].after_commit is not None
    assert "'mails'" in found[0].after_commit.sql


async def test_a_reply_alone_rings_nobody_and_an_archive_is_kept(work: AsyncScript) -> None:
    kept = replace(PLAN, archive=True)
    (call,) = await settle(work, (held(headers=REPLY, plan=kept), ARCHIVE))
    assert (call.after_commit, call.params[-1]) == (None, True)


async def test_an_ack_whose_continuation_is_refused_gives_the_message_back_with_the_error(
    work: AsyncScript,
) -> None:
    work.on("reply.ack_with", REFUSED, REFUSED, {2: Outcome.DONE})
    settler = Settler(work, chance=lambda: 0.5)
    settler.add(held(msg_id=1, headers=ON_SUCCESS, read_ct=3), DELETE)
    settler.add(held(msg_id=2, headers=ON_SUCCESS), DELETE)
    assert await settler.settle_waiting() > 0
    assert settler.pending == 1
    assert await settler.settle_waiting() == 0
    assert settler.pending == 0
    (again,) = work.named("message.retry_batch")
    assert again.params[0] == [1]
    assert again.params[1] == ["4.0 s"]
    assert "not acked: on_success can't be sent. Make the queue." in str(again.params[2])


async def test_another_refusal_is_tried_again_as_it_is(work: AsyncScript) -> None:
    work.on("reply.ack_with", DatabaseError("deadlock detected", sqlstate="40P01"), {1: Outcome.DONE})
    settler = Settler(work, chance=lambda: 0.5)
    settler.add(held(msg_id=1, headers=REPLY), DELETE)
    await settler.settle_waiting()
    await settler.settle_waiting()
    assert [call.name for call in work.calls] == ["reply.ack_with"] * 2


def test_what_the_handler_returns_is_brought(execution: Execution, app: App) -> None:
    @app.task("t", queue="orders")
    def t(what: Any) -> Any:
        return {"retry": Retry(), "bury": Bury("enough"), "none": None}.get(what, {"is": what})

    one = held(task(what=1), headers=REPLY)
    assert (run(execution, one), one.result) == (DELETE, '{"is":1}')
    for answer, verb in (("retry", Verb.RETRY), ("bury", Verb.BURY), ("none", Verb.DELETE)):
        other = held(task(what=answer), headers=ON_SUCCESS)
        assert (run(execution, other).verb, other.result) == (verb, None)


@pytest.mark.parametrize("headers", [REPLY, ON_SUCCESS])
def test_a_result_over_the_limit_is_the_failure_of_the_handler_and_says_so(
    execution: Execution, app: App, headers: dict[str, Any]
) -> None:
    @app.task("t", queue="orders")
    def t() -> str:
        return "x" * MAX_RESULT_BYTES

    failed = run(execution, held(task(), headers=headers))
    assert failed.verb is Verb.RETRY
    assert str(MAX_RESULT_BYTES) in (failed.error or "")
    assert run(execution, held(task())) == DELETE


def test_a_follower_is_told_what_it_follows_and_its_parameters_stay_its_own(
    execution: Execution, app: App
) -> None:
    seen: list[Any] = []

    @app.task("t", queue="orders")
    def t(ctx: Context, n: int, **more: Any) -> None:
        seen.append((ctx.follows, n, more))

    headers = {"pgqueue-follows": {"queue": "first", "msg_id": 9}}
    assert run(execution, held(task(n=1, **{RESULT_MARK: {"total": 5}}), headers=headers)) == DELETE
    assert run(execution, held(task(n=2))) == DELETE
    assert seen == [(Follows("first", 9, {"total": 5}), 1, {}), (None, 2, {})]


def test_a_result_that_nobody_may_send_reaches_no_handler(execution: Execution, app: App) -> None:
    seen: list[Any] = []

    @app.task("t", queue="orders")
    def t(**more: Any) -> None:
        seen.append(more)

    run(execution, held(task(**{RESULT_MARK: 1})))
    assert seen == [{}]


@pytest.mark.parametrize("headers", [REPLY, ON_SUCCESS])
def test_the_ack_of_a_transaction_brings_the_result_too(headers: dict[str, Any]) -> None:
    one = held(headers=headers)
    one.result = "5"
    call = calls.ack(one)
    assert (call.name, call.params[3], call.may_commit_async) == ("reply.ack_with", "[5]", False)
    assert (call.after_commit is not None) == (headers is ON_SUCCESS)
    assert call.result([(1, "done", True)]) is Outcome.DONE
    with pytest.raises(StaleReceipt):
        call.result([(1, "stale", False)])


def test_arrive_with_says_what_a_request_brings() -> None:
    from pgqueue.consumer.barriers import arrive_with  # noqa: PLC0415 - the name alone says nothing here

    one, plain = held(headers=REPLY), held()
    arrive_with(one, {"a": 1})
    arrive_with(plain, {"a": 1})
    assert (one.result, plain.result) == ('{"a":1}', None)
    one.acked = True
    with pytest.raises(ClientMisuse):
        arrive_with(one, 2)
