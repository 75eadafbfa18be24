from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pgqueue.consumer.execution import Execution
from pgqueue.consumer.job import Job
from pgqueue.consumer.model import Doors, Held, Verb, Verdict
from pgqueue.consumer.transaction import HeldLease
from pgqueue.errors import ClientMisuse, InDoubt, StaleReceipt
from pgqueue.task.answer import Bury, Release, Retry
from pgqueue.task.context import Context
from pgqueue.task.identity import Identity
from pgqueue.task.poison import TryLater
from pgqueue.task.registry import App
from tests.consumer.conftest import PLAN, AsyncScript, Clock, SyncScript, held


class Interrupts:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def interrupts() -> Interrupts:
    return Interrupts()


@pytest.fixture
def execution(app: App, doors: Doors, clock: Clock, interrupts: Interrupts) -> Execution:
    return Execution(app, doors, clock, interrupts, lambda: 0.5)


def task(name: str = "t", *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"task": name, "args": list(args), "kwargs": kwargs}


def job(execution: Execution, payload: Any, **rest: Any) -> Job:
    prepared = execution.prepare(held(payload, **rest))
    assert isinstance(prepared, Job)
    return prepared


def verdict(execution: Execution, payload: Any, **rest: Any) -> Verdict:
    prepared = execution.prepare(held(payload, **rest))
    assert isinstance(prepared, Verdict)
    return prepared


@pytest.mark.parametrize("payload", [None, True, 0, 1.5, "", "text", [], [[]], {}, {"task": 1}, {"other": 1}])
def test_a_payload_for_nobody_is_malformed(execution: Execution, payload: Any) -> None:
    found = verdict(execution, payload)
    assert (found.verb, found.reason) == (Verb.BURY, "malformed")


def test_what_cant_be_decoded_is_malformed_even_with_a_handler_for_plain_messages(
    execution: Execution, app: App
) -> None:
    @app.messages("orders")
    def plain(message: object) -> None: ...

    assert verdict(execution, None, broken="too many digits").reason == "malformed"
    assert job(execution, None).args == [None]


def test_a_task_message_goes_to_its_task_and_anything_else_to_the_plain_handler(
    execution: Execution, app: App
) -> None:
    @app.task("t", queue="elsewhere")
    def t() -> None: ...

    @app.messages("orders")
    def plain(message: object) -> None: ...

    assert job(execution, task()).handler is t
    assert job(execution, {"task": "t", "note": 1}).handler is app.plain["orders"]
    assert verdict(execution, task("not.here")).verb is Verb.RELEASE


def test_poison_is_not_run(execution: Execution, app: App) -> None:
    app.task("t", queue="orders")(never)
    assert isinstance(execution.prepare(held(task(), read_ct=5)), Job)
    assert verdict(execution, task(), read_ct=6).reason == "poison"


def never() -> None:
    raise AssertionError("must not run")


def test_a_return_is_done_and_an_exception_a_retry(execution: Execution, app: App) -> None:
    @app.task("t", queue="orders")
    def t(n: int) -> None:
        if n:
            raise ValueError("bad")

    assert execution.run(job(execution, task("t", 0))).verb is Verb.DELETE
    failed = execution.run(job(execution, task("t", 1)))
    assert (failed.verb, failed.delay) == (Verb.RETRY, 1)


def test_arguments_that_the_handler_doesnt_take_are_a_failure_not_a_crash(
    execution: Execution, app: App
) -> None:
    app.task("t", queue="orders")(never)
    assert execution.run(job(execution, task("t", 1, 2, x=3))).verb is Verb.RETRY


def test_a_plain_function_that_returns_a_coroutine_has_failed(execution: Execution, app: App) -> None:
    async def late() -> None: ...

    @app.task("t", queue="orders")
    def t() -> Any:
        return late()

    failed = execution.run(job(execution, task()))
    assert failed.verb is Verb.RETRY
    assert "awaitable" in (failed.error or "")


async def test_an_async_function_that_forgot_its_await_has_failed(execution: Execution, app: App) -> None:
    async def late() -> None: ...

    @app.task("t", queue="orders")
    async def t() -> Any:
        return late()

    failed = await execution.run_async(job(execution, task()), stopping=lambda: False)
    assert failed.verb is Verb.RETRY
    assert "awaitable" in (failed.error or "")


@pytest.mark.parametrize("answer", [Retry, Bury, Release])
def test_an_answer_without_its_parentheses_is_no_ack(execution: Execution, app: App, answer: Any) -> None:
    @app.task("t", queue="orders")
    def t() -> Any:
        return answer

    failed = execution.run(job(execution, task()))
    assert failed.verb is Verb.RETRY
    assert f"returned the class {answer.__name__}" in (failed.error or "")


class Throttled(Retry):
    """Of an app's own, and without what its root would set."""

    def __init__(self, delay: object = None) -> None:
        if delay is not None:
            self.delay = delay  # type: ignore[assignment]


class Nowhere(TryLater):
    def __init__(self) -> None: ...


@pytest.mark.parametrize("delay", [None, "soon", -1, float("nan")])
@pytest.mark.parametrize("is_raised", [True, False])
def test_an_answer_of_a_class_of_ones_own_that_lacks_something_is_a_failure(
    execution: Execution, app: App, delay: object, is_raised: bool
) -> None:
    @app.task("t", queue="orders")
    def t() -> Any:
        if is_raised:
            raise Throttled(delay)
        return Throttled(delay)

    judged = execution.run(job(execution, task()))
    assert (judged.verb, judged.delay) == (Verb.RETRY, 1)


@pytest.mark.parametrize("is_raised", [True, False])
def test_a_hook_whose_answer_lacks_something_is_asked_again_later(
    execution: Execution, app: App, is_raised: bool
) -> None:
    def hook(_: Context) -> Any:
        if is_raised:
            raise Nowhere
        return Nowhere()

    @app.task("t", queue="orders", on_poison=hook)
    def t() -> None: ...

    poisoned = job(execution, task(), read_ct=PLAN.max_reads + 1)
    assert execution.run(poisoned) == Verdict(Verb.RETRY, delay=PLAN.repark_seconds)


def test_a_keyboard_interrupt_stops_the_consumer_and_gives_the_message_back(
    execution: Execution, app: App, interrupts: Interrupts
) -> None:
    @app.task("t", queue="orders")
    def t() -> None:
        raise KeyboardInterrupt

    assert execution.run(job(execution, task())).verb is Verb.RELEASE
    assert interrupts.count == 1


async def test_an_async_handler_that_cancels_itself_has_failed(execution: Execution, app: App) -> None:
    @app.task("t", queue="orders")
    async def t() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await asyncio.sleep(0)

    assert (await execution.run_async(job(execution, task()), stopping=lambda: False)).verb is Verb.RETRY
    assert (await execution.run_async(job(execution, task()), stopping=lambda: True)).verb is Verb.RELEASE


async def test_answers_come_from_async_handlers_too(execution: Execution, app: App) -> None:
    @app.task("t", queue="orders")
    async def t() -> Any:
        return Bury("enough")

    assert (await execution.run_async(job(execution, task()), stopping=lambda: False)).reason == "enough"


def test_the_context_tells_what_the_handler_works_on(execution: Execution, app: App) -> None:
    seen: list[Context] = []

    @app.task("t", queue="orders", identity=Identity(key="order_id", scope="org"))
    def t(ctx: Context, order_id: int, org: str) -> None:
        seen.append(ctx)

    execution.run(
        job(execution, task("t", 7, org="acme"), read_ct=4, release_ct=1, headers={"pgqueue-key": "kept"})
    )
    (ctx,) = seen
    assert (ctx.queue, ctx.task, ctx.attempt) == ("orders", "t", 3)
    assert (ctx.identity.key, ctx.identity.scope) == ("kept", "acme")
    assert ctx.message.msg_id == 1


def test_still_mine_ends_with_the_lease_its_loss_or_the_ack(doors: Doors, clock: Clock) -> None:
    one = held()
    lease = HeldLease(one, doors, clock)
    assert lease.still_mine()
    clock.now = 30.0
    assert not lease.still_mine()
    one.lease_until = 60.0
    assert lease.still_mine()
    one.lost = True
    assert not lease.still_mine()


class Ending:
    """A transaction that ends as told."""

    def __init__(self, end: BaseException | None) -> None:
        self.end = end

    def ending_with(self, last: Any) -> Ending:
        self.last = last
        return self

    beginning_with = ending_with

    def __enter__(self) -> str:
        return "connection"

    def __exit__(self, kind: object, error: object, tb: object) -> None:
        if kind is None and self.end is not None:
            raise self.end

    async def __aenter__(self) -> str:
        return "connection"

    async def __aexit__(self, kind: object, error: object, tb: object) -> None:
        self.__exit__(kind, error, tb)


@pytest.mark.parametrize(
    ("end", "after", "expected"),
    [
        (None, None, Verb.NOTHING),
        (None, ValueError("after the commit"), Verb.NOTHING),
        (StaleReceipt("lost"), None, Verb.NOTHING),
        (InDoubt("commit"), None, Verb.NOTHING),
        (ClientMisuse("broken"), None, Verb.RETRY),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_an_ack_that_went_with_the_transaction_is_never_sent_again(
    app: App,
    clock: Clock,
    end: BaseException | None,
    after: BaseException | None,
    expected: Verb,
    *,
    is_async: bool,
) -> None:
    execution = Execution(app, Doors(AsyncScript(), lambda _: SyncScript(), Ending(end)), clock, lambda: None)

    @app.task("s", queue="orders")
    def s(ctx: Context) -> None:
        with ctx.tx() as connection:
            assert connection == "connection"
        if after:
            raise after

    @app.task("a", queue="orders")
    async def a(ctx: Context) -> None:
        async with ctx.tx() as connection:
            assert connection == "connection"
        if after:
            raise after

    if is_async:
        found = await execution.run_async(job(execution, task("a")), stopping=lambda: False)
    else:
        found = execution.run(job(execution, task("s")))
    assert found.verb is expected


def test_an_exception_in_the_block_leaves_the_message_to_the_rules(app: App, clock: Clock) -> None:
    execution = Execution(
        app, Doors(AsyncScript(), lambda _: SyncScript(), Ending(None)), clock, lambda: None
    )

    @app.task("t", queue="orders")
    def t(ctx: Context) -> None:
        with ctx.tx():
            raise InDoubt("of something else")

    assert execution.run(job(execution, task())).verb is Verb.RETRY


def test_a_second_commit_for_one_message_is_refused(app: App, clock: Clock) -> None:
    execution = Execution(
        app, Doors(AsyncScript(), lambda _: SyncScript(), Ending(None)), clock, lambda: None
    )
    refused: list[Exception] = []

    @app.task("t", queue="orders")
    def t(ctx: Context) -> None:
        with ctx.tx():
            pass
        try:
            ctx.tx()
        except ClientMisuse as error:
            refused.append(error)

    assert execution.run(job(execution, task())).verb is Verb.NOTHING
    assert len(refused) == 1


def test_a_lease_that_was_lost_while_the_handler_ran_is_not_settled(execution: Execution, app: App) -> None:
    holding: list[Held] = []

    @app.task("t", queue="orders")
    def t() -> None:
        holding[0].lost = True

    prepared = job(execution, task())
    holding.append(prepared.held)
    assert execution.run(prepared).verb is Verb.NOTHING
