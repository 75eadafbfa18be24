"""Batch handlers: which messages one call gets, and how each of them ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pgqueue.consumer.execution import Execution
from pgqueue.consumer.job import Batch, Job
from pgqueue.consumer.model import Doors, Held, Verb, Verdict
from pgqueue.errors import ConfigurationError, InvalidInput
from pgqueue.message.model import Message
from pgqueue.task.answer import Bury, Release, Retry
from pgqueue.task.context import Context
from pgqueue.task.poison import Handled
from pgqueue.task.registry import App
from tests.consumer.conftest import PLAN, Clock, Said, held


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def execution(app: App, doors: Doors, clock: Clock) -> Execution:
    return Execution(app, doors, clock, lambda: None, lambda: 0.5)


def batch_of(execution: Execution, count: int = 3) -> Batch:
    batch = execution.prepare(held({"n": 1}, msg_id=1))
    assert isinstance(batch, Batch)
    batch.members.extend(held({"n": n}, msg_id=n) for n in range(2, count + 1))
    return batch


def answering(app: App, answer: Callable[[list[Message]], Any]) -> None:
    @app.messages("orders", batch=10)
    def handle(messages: list[Message]) -> Any:
        found = answer(messages)
        if isinstance(found, BaseException):
            raise found
        return found


def verbs(ends: Any) -> list[Verb]:
    return [end.verb for end in ends]


def test_one_call_gets_the_messages_as_a_list_and_its_return_acks_them_all(
    execution: Execution, app: App
) -> None:
    calls: list[list[Any]] = []
    answering(app, lambda messages: calls.append([message.message for message in messages]))
    assert verbs(execution.ends(batch_of(execution))) == [Verb.DELETE] * 3
    assert calls == [[{"n": 1}, {"n": 2}, {"n": 3}]]


async def test_an_async_batch_handler_is_awaited(execution: Execution, app: App) -> None:
    @app.messages("orders", batch=10)
    async def handle(messages: list[Message]) -> Any:
        return {messages[1].msg_id: Retry(5)}

    batch = batch_of(execution)
    assert batch.is_async
    ends = await execution.ends_async(batch, stopping=lambda: False)
    assert verbs(ends) == [Verb.DELETE, Verb.RETRY, Verb.DELETE]


def test_a_batch_takes_what_fits_and_no_more_than_the_handler_asked_for(
    execution: Execution, app: App
) -> None:
    @app.messages("orders", batch=2)
    def handle(messages: list[Message]) -> None: ...

    @app.task("t", queue="orders")
    def t() -> None: ...

    batch = execution.prepare(held([1]))
    assert isinstance(batch, Batch)
    for other in (
        held({"task": "t"}), held([1], read_ct=2), held([1], plan=replace(PLAN, queue="others")),
        held(None, broken="too many digits"),
    ):  # fmt: skip
        assert not batch.wants(other)
    for same in (held({"task": 1}), held("t"), held(None), held([1], read_ct=2, release_ct=1)):
        assert batch.wants(same)
    batch.members.append(held([1]))
    assert not batch.wants(held([1]))
    assert execution.a_slot_takes("orders") == 2
    assert execution.a_slot_takes("others") == 1


def test_a_message_that_was_tried_before_comes_alone(execution: Execution, app: App) -> None:
    answering(app, lambda _: None)
    batch = execution.prepare(held([1], read_ct=2))
    assert isinstance(batch, Batch)
    assert not batch.wants(held([1]))
    assert not batch.wants(held([1], read_ct=2))


def test_a_task_message_in_the_same_queue_goes_to_its_task(execution: Execution, app: App) -> None:
    answering(app, lambda _: None)

    @app.task("t", queue="orders")
    def t() -> None: ...

    assert isinstance(execution.prepare(held({"task": "t"})), Job)


@pytest.mark.parametrize("raised", [True, False])
def test_one_answer_counts_for_all(execution: Execution, app: App, *, raised: bool) -> None:
    answering(app, lambda _: _raise(Bury("bad")) if raised else Bury("bad"))
    ends = execution.ends(batch_of(execution))
    assert [(end.verb, end.reason) for end in ends] == [(Verb.BURY, "bad")] * 3


def _raise(error: BaseException) -> None:
    raise error


def test_answers_may_be_given_singly_in_order_or_by_id(execution: Execution, app: App) -> None:
    given: list[Any] = [
        [None, Retry(7), Bury("bad")],
        (0, Retry(7), Bury("bad")),
        {3: Bury("bad"), 2: Retry(7)},
    ]
    answering(app, lambda _: given.pop(0))
    for _ in range(3):
        ends = execution.ends(batch_of(execution))
        assert verbs(ends) == [Verb.DELETE, Verb.RETRY, Verb.BURY]
        assert (ends[1].delay, ends[2].reason) == (7, "bad")


@pytest.mark.parametrize("answer", [[1, 2], {"any": "dict"}, [], {}, "text", 0])
def test_what_holds_no_answer_means_done(execution: Execution, app: App, answer: Any) -> None:
    answering(app, lambda _: answer)
    assert verbs(execution.ends(batch_of(execution))) == [Verb.DELETE] * 3


@pytest.mark.parametrize(
    "answer",
    [
        [Retry(1)],
        [Retry(1)] * 4,
        {99: Retry(1)},
        {1: Retry},
        [None, None, Release],
        [None, Handled(), None],
        Retry,
        Handled(),
    ],
)
def test_answers_that_dont_fit_the_batch_are_a_failure_not_an_ack(
    execution: Execution, app: App, answer: Any
) -> None:
    answering(app, lambda _: answer)
    assert verbs(execution.ends(batch_of(execution))) == [Verb.RETRY] * 3


def test_a_failure_retries_each_with_its_error_and_says_so_once(
    execution: Execution, app: App, said: Said
) -> None:
    answering(app, lambda _: ValueError("database down"))
    ends = execution.ends(batch_of(execution, 200))
    assert {(end.verb, end.delay) for end in ends} == {(Verb.RETRY, 1.0)}
    assert all((end.error or "").startswith("ValueError: database down") for end in ends)
    assert said.events() == [("ERROR", "batch.failed")]
    assert (said.the("batch.failed")["messages"], len(said.the("batch.failed")["msg_ids"])) == (200, 100)


def test_a_lost_lease_costs_only_its_message(execution: Execution, app: App) -> None:
    lost: list[Held] = []

    def lose(_: object) -> None:
        lost[0].lost = True

    answering(app, lose)
    batch = batch_of(execution)
    lost.append(batch.members[1])
    assert verbs(execution.ends(batch)) == [Verb.DELETE, Verb.NOTHING, Verb.DELETE]


async def test_a_stop_gives_the_whole_batch_back(execution: Execution, app: App) -> None:
    @app.messages("orders", batch=10)
    async def handle(messages: list[Message]) -> None:
        raise asyncio.CancelledError

    ends = await execution.ends_async(batch_of(execution), stopping=lambda: True)
    assert verbs(ends) == [Verb.RELEASE] * 3
    ends = await execution.ends_async(batch_of(execution), stopping=lambda: False)
    assert verbs(ends) == [Verb.RETRY] * 3


def test_poison_leaves_the_batch_and_goes_to_the_hook(execution: Execution, app: App) -> None:
    asked: list[Context] = []

    def hook(ctx: Context) -> Any:
        asked.append(ctx)
        return Handled()

    @app.messages("orders", batch=10, on_poison=hook)
    def handle(messages: list[Message]) -> None:
        raise AssertionError("must not run")

    job = execution.prepare(held([1], read_ct=6))
    assert isinstance(job, Job)
    assert execution.ends(job) == (Verdict(Verb.BURY, reason="handled"),)
    assert len(asked) == 1


def test_a_batch_handler_that_asks_for_one_message_is_refused() -> None:
    def with_context(messages: list[Message], ctx: Context) -> None: ...
    def typed(messages: set[int]) -> None: ...

    for bad in (with_context, typed):
        with pytest.raises(ConfigurationError, match="takes a batch"):
            App().messages("orders", batch=10)(bad)
    for size in (0, 1001, True):
        with pytest.raises(InvalidInput):
            App().messages("orders", batch=size)
