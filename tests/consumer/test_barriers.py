"""Parts and callbacks of barriers: how they are settled, what their handlers are told, and what is believed of a header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pgqueue.barrier.model import SKIPPED_DUPLICATE_CALLBACK, TRANSPORT_MARK, CallbackOf, PartOf
from pgqueue.call import Call
from pgqueue.consumer import calls
from pgqueue.consumer.execution import Execution
from pgqueue.consumer.job import Batch, Job
from pgqueue.consumer.model import Doors, Held, Verb, Verdict
from pgqueue.consumer.outcome import ARCHIVE, DELETE, RELEASE
from pgqueue.consumer.settle import Settler
from pgqueue.errors import ClientMisuse, DatabaseError, PayloadError, PgQueueError, StaleReceipt, Unavailable
from pgqueue.message.model import Outcome
from pgqueue.task.answer import Bury, Retry
from pgqueue.task.context import Context
from pgqueue.task.poison import Hopeless
from pgqueue.task.registry import App
from tests.consumer.conftest import PLAN, AsyncScript, Clock, Said, SyncScript, held

BURY = Verdict(Verb.BURY, reason="bad", error="why")
RETRY = Verdict(Verb.RETRY, delay=5, error="why")
KEPT = replace(PLAN, archive=True)


def part(n: int, generation: int = 7) -> dict[str, Any]:
    return {"pgqueue-part": {"barrier": "b", "generation": generation, "part": n}}


def callback(generation: int = 7) -> dict[str, Any]:
    return {"pgqueue-barrier": {"barrier": "b", "generation": generation}}


def task(**kwargs: Any) -> dict[str, Any]:
    return {"task": "t", "args": [], "kwargs": kwargs}


class Barriers:
    """Transactions of a database whose barriers say what a test tells."""

    def __init__(self, state: str = "due") -> None:
        self.state: str | Exception = state
        self.asked: list[Call[Any]] = []
        self.last: list[Call[Any]] = []
        self.is_open = False

    @contextmanager
    def _begun(self, first: Call[bool]) -> Iterator[str]:
        self.asked.append(first)
        if isinstance(self.state, Exception):
            raise self.state
        self.is_open = True
        assert first.parse([(self.state,)])
        yield "connection"
        self.is_open = False

    @contextmanager
    def _ended(self, last: Callable[[], Call[Any]]) -> Iterator[str]:
        yield "connection"
        self.last.append(last())

    def beginning_with(self, first: Call[bool]) -> Any:
        return Both(self._begun(first))

    def ending_with(self, last: Callable[[], Call[Any]]) -> Any:
        return Both(self._ended(last))


class Both:
    """Makes `async with` of what is made for `with`."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def __enter__(self) -> Any:
        return self._plain.__enter__()

    def __exit__(self, *given: object) -> Any:
        return self._plain.__exit__(*given)

    async def __aenter__(self) -> Any:
        return self._plain.__enter__()

    async def __aexit__(self, *given: object) -> Any:
        return self._plain.__exit__(*given)


@pytest.fixture
def barriers() -> Barriers:
    return Barriers()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def execution(app: App, barriers: Barriers, clock: Clock) -> Execution:
    doors = Doors(AsyncScript(), lambda _: SyncScript(), barriers)
    return Execution(app, doors, clock, lambda: None, lambda: 0.5)


def run(execution: Execution, one: Held) -> Verdict:
    prepared = execution.prepare(one)
    assert not isinstance(prepared, Verdict)
    (verdict,) = execution.ends(prepared)
    return verdict


async def run_async(execution: Execution, one: Held) -> Verdict:
    prepared = execution.prepare(one)
    assert isinstance(prepared, Job)
    (verdict,) = await execution.ends_async(prepared, stopping=lambda: False)
    return verdict


async def settle(work: AsyncScript, *ends: tuple[Held, Verdict]) -> list[Call[Any]]:
    for name in ("barrier.ack", "barrier.bury", "barrier.finish"):
        work.on(name, *[{}] * 10)
    settler = Settler(work)
    for end in ends:
        settler.add(*end)
    await settler.settle_waiting()
    return work.calls


async def test_a_part_arrives_with_its_ack_and_fails_with_its_burial(work: AsyncScript) -> None:
    parts = [held(msg_id=n, headers=part(n)) for n in range(1, 5)]
    parts[0].result = '{"n":1}'
    found = await settle(
        work, (parts[0], DELETE), (parts[1], DELETE), (parts[2], BURY), (parts[3], RETRY), (held(), DELETE)
    )
    assert [call.name for call in found] == [
        "barrier.ack", "barrier.bury", "message.retry_batch", "message.delete_batch"
    ]  # fmt: skip
    assert found[0].params == ("orders", [1, 2], [1001, 2001], [7, 7], [1, 2], '[{"n":1},null]', False)
    assert found[1].params == ("orders", [3], [3001], [7], [3], ["bad"], ["why"])
    assert [call.may_commit_async for call in found] == [False, False, False, True]


async def test_parts_of_a_queue_that_keeps_an_archive_are_archived(work: AsyncScript) -> None:
    (call, other) = await settle(
        work,
        (held(msg_id=1, headers=part(1), plan=KEPT), ARCHIVE),
        (held(msg_id=2, headers=part(2)), DELETE),
    )
    assert (call.params[-1], other.params[-1]) == (True, False)


async def test_callbacks_are_acked_one_by_one_and_each_is_noted(work: AsyncScript) -> None:
    found = await settle(
        work,
        (held(msg_id=1, headers=callback(7)), DELETE),
        (held(msg_id=2, headers=callback(8), plan=KEPT), ARCHIVE),
        (held(msg_id=3, headers=callback(9)), DELETE),
        (held(msg_id=4, headers=callback(9)), BURY),
        (held(msg_id=5, headers=callback(9)), RELEASE),
    )
    assert [call.params for call in found if call.name == "barrier.finish"] == [
        ("orders", 1, 1001, 7, False), ("orders", 3, 3001, 9, False), ("orders", 2, 2001, 8, True)
    ]  # fmt: skip
    assert [call.name for call in found[3:]] == ["message.bury_batch", "message.release_batch"]
    assert not any(call.may_commit_async for call in found)


@pytest.mark.parametrize(("answer", "outcome"), [("done", Outcome.DONE), ("stale", Outcome.STALE)])
async def test_what_became_of_a_callback_is_told_by_its_id(answer: str, outcome: Outcome) -> None:
    call = calls.settle(PLAN, Verb.FINISH, [(held(msg_id=3, headers=callback()), DELETE)])
    assert call.result([(answer,)]) == {3: outcome}
    assert call.result([("gone",)], repeated=True) == {3: Outcome.DONE}


@pytest.mark.parametrize(
    "told",
    [
        True, "b", [], {}, {"barrier": "b"}, {"barrier": 1, "generation": 7, "part": 1},
        {"barrier": "b", "generation": True, "part": 1}, {"barrier": "b", "generation": 2**63, "part": 1},
        {"barrier": "b", "generation": -1, "part": 1},
    ],
)  # fmt: skip
@pytest.mark.parametrize("header", ["pgqueue-part", "pgqueue-barrier"])
async def test_a_header_that_cant_be_ours_makes_no_part_and_no_callback(
    work: AsyncScript, told: Any, header: str
) -> None:
    (call,) = await settle(work, (held(headers={header: told}), DELETE))
    assert call.name == "message.delete_batch"


@pytest.mark.parametrize("number", [True, -1, 2**31, "1", None])
async def test_a_part_has_a_number_that_sql_can_hold(work: AsyncScript, number: Any) -> None:
    (call,) = await settle(work, (held(headers=part(number)), DELETE))
    assert call.name == "message.delete_batch"


async def test_a_part_brings_what_its_handler_returns(execution: Execution, app: App) -> None:
    @app.task("t", queue="orders")
    def t(what: Any) -> Any:
        return {"retry": Retry(), "bury": Bury("enough")}.get(what, {"is": what})

    one = held(task(what=1), headers=part(1))
    assert (run(execution, one), one.result) == (DELETE, '{"is":1}')
    for answer, verb in (("retry", Verb.RETRY), ("bury", Verb.BURY)):
        other = held(task(what=answer), headers=part(1))
        assert (run(execution, other).verb, other.result) == (verb, None)
    plain = held(task(what=1))
    assert (run(execution, plain), plain.result) == (DELETE, None)


async def test_a_result_that_cant_travel_is_the_failure_of_a_part_and_of_nobody_else(
    execution: Execution, app: App
) -> None:
    @app.task("t", queue="orders")
    def t() -> Any:
        return object()

    @app.task("a", queue="orders")
    async def a() -> Any:
        return object()

    failed = run(execution, held(task(), headers=part(1)))
    assert failed.verb is Verb.RETRY
    assert "PayloadError" in (failed.error or "")
    failed = await run_async(execution, held({**task(), "task": "a"}, headers=part(1)))
    assert failed.verb is Verb.RETRY
    assert run(execution, held(task())) == DELETE


async def test_the_poison_hook_of_a_part_brings_no_result(execution: Execution, app: App) -> None:
    @app.on_poison()
    def hook(ctx: Context) -> Hopeless:
        assert ctx.part == PartOf("b", 7, 1)
        return Hopeless()

    @app.task("t", queue="orders")
    def t() -> None: ...

    verdict = run(execution, held(task(), headers=part(1), read_ct=6))
    assert (verdict.verb, verdict.reason) == (Verb.BURY, "hopeless")


@pytest.mark.parametrize(("state", "expected"), [("due", CallbackOf("b", 7)), ("unknown", None)])
@pytest.mark.parametrize("is_async", [False, True])
async def test_from_barrier_is_what_the_barrier_says_not_the_header(
    execution: Execution, app: App, barriers: Barriers, state: str, expected: Any, *, is_async: bool
) -> None:
    seen: list[Any] = []
    barriers.state = state

    @app.task("t", queue="orders")
    def t(ctx: Context, **kwargs: Any) -> None:
        seen.append((ctx.from_barrier, ctx.part, kwargs, barriers.is_open))

    @app.task("a", queue="orders")
    async def a(ctx: Context, **kwargs: Any) -> None:
        seen.append((ctx.from_barrier, ctx.part, kwargs, barriers.is_open))

    payload = {**task(n=1, **{TRANSPORT_MARK: True}), "task": "a" if is_async else "t"}
    one = held(payload, headers=callback())
    found = await run_async(execution, one) if is_async else run(execution, one)
    assert found == DELETE
    assert seen == [(expected, None, {"n": 1}, False)]
    assert [(call.name, call.params) for call in barriers.asked] == [("barrier.callback", ("orders", 1, 7))]


async def test_the_mark_alone_makes_no_callback(execution: Execution, app: App, barriers: Barriers) -> None:
    seen: list[Any] = []

    @app.task("t", queue="orders")
    def t(ctx: Context, **kwargs: Any) -> None:
        seen.append((ctx.from_barrier, kwargs))

    assert run(execution, held(task(**{TRANSPORT_MARK: True}))) == DELETE
    assert (seen, barriers.asked) == ([(None, {})], [])


async def test_a_callback_that_has_finished_is_acked_unrun(
    execution: Execution, app: App, barriers: Barriers, said: Said
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("must not run")

    async def never_async() -> None:
        never()

    app.task("t", queue="orders")(never)
    app.task("a", queue="orders")(never_async)
    app.messages("orders", batch=10)(never)
    barriers.state = "finished"
    assert run(execution, held(task(), headers=callback(), read_ct=2)) == DELETE
    assert said.the("callback.skipped")["outcome"] == SKIPPED_DUPLICATE_CALLBACK
    assert await run_async(execution, held({"task": "a"}, headers=callback(), plan=KEPT)) == ARCHIVE
    assert run(execution, held({"n": 1}, headers=callback())) == DELETE


async def test_a_callback_is_a_batch_of_its_own(execution: Execution, app: App) -> None:
    @app.messages("orders", batch=10)
    def plain(messages: list[object]) -> None: ...

    alone = execution.prepare(held({"n": 1}, headers=callback()))
    assert isinstance(alone, Batch)
    assert not alone.wants(held({"n": 2}))
    batch = execution.prepare(held({"n": 1}))
    assert isinstance(batch, Batch)
    assert batch.wants(held({"n": 2}, headers=part(1)))
    assert not batch.wants(held({"n": 3}, headers=callback()))


@pytest.mark.parametrize(
    ("error", "verb"),
    [
        (Unavailable("gone"), Verb.RELEASE),
        (DatabaseError("too many connections", sqlstate="53300"), Verb.RELEASE),
        (DatabaseError("no such function", sqlstate="42883"), Verb.RETRY),
    ],
)
async def test_a_callback_that_cant_ask_comes_back_and_is_not_blamed_for_the_server(
    execution: Execution, app: App, barriers: Barriers, error: PgQueueError, verb: Verb
) -> None:
    ran: list[int] = []

    @app.task("t", queue="orders")
    def t() -> None:
        ran.append(1)

    barriers.state = error
    assert run(execution, held(task(), headers=callback())).verb is verb
    assert ran == []


async def test_the_transaction_of_a_part_ends_with_its_arrival_and_the_result_known_by_then(
    execution: Execution, app: App, barriers: Barriers
) -> None:
    late: list[Exception] = []

    @app.task("t", queue="orders")
    def t(ctx: Context) -> object:
        with ctx.tx():
            ctx.arrive_with({"n": 1})
        try:
            ctx.arrive_with({"n": 2})
        except ClientMisuse as error:
            late.append(error)
        return object()

    assert run(execution, held(task(), headers=part(3))).verb is Verb.NOTHING
    (last,) = barriers.last
    assert (last.name, last.params) == (
        "barrier.ack",
        ("orders", [1], [1001], [7], [3], '[{"n":1}]', False),
    )
    assert len(late) == 1
    assert last.after_commit is not None
    with pytest.raises(StaleReceipt):
        last.parse([(1, "stale", False)])


async def test_arrive_with_holds_for_a_handler_that_returns_none(execution: Execution, app: App) -> None:
    @app.task("t", queue="orders")
    def t(ctx: Context, value: Any) -> Any:
        ctx.arrive_with(1)
        return value

    for value, expected in ((None, "1"), (2, "2")):
        one = held(task(value=value), headers=part(1))
        assert (run(execution, one), one.result) == (DELETE, expected)


async def test_a_result_that_cant_travel_is_refused_before_the_commit(
    execution: Execution, app: App, barriers: Barriers
) -> None:
    @app.task("t", queue="orders")
    def t(ctx: Context) -> None:
        with ctx.tx():
            with pytest.raises(PayloadError):
                ctx.arrive_with(float("nan"))

    assert run(execution, held(task(), headers=part(3))).verb is Verb.NOTHING
    assert barriers.last[0].params[5] == "[null]"


@pytest.mark.parametrize(
    ("headers", "read_ct", "name"),
    [
        (callback(), 1, "barrier.finish"),
        (None, 1, "message.delete"),
        (part(1), 6, "barrier.bury"),
        (callback(), 6, "message.bury"),
    ],
)
async def test_the_transaction_of_a_context_ends_as_its_message_does(
    execution: Execution, app: App, barriers: Barriers, headers: Any, read_ct: int, name: str
) -> None:
    @app.on_poison()
    def hook(ctx: Context) -> Hopeless:
        with ctx.tx():
            return Hopeless()

    @app.task("t", queue="orders")
    def t(ctx: Context) -> None:
        with ctx.tx():
            pass

    assert run(execution, held(task(), headers=headers, read_ct=read_ct)).verb is Verb.NOTHING
    assert [call.name for call in barriers.last] == [name]
