"""What becomes of a message that was read too often: the rows U63 to U80 of the specification."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pgqueue.consumer.execution import Execution
from pgqueue.consumer.job import Job
from pgqueue.consumer.model import Doors, Held, Verb, Verdict
from pgqueue.errors import ConfigurationError, StaleReceipt
from pgqueue.task.answer import Retry
from pgqueue.task.context import Context
from pgqueue.task.identity import Arg, Identity
from pgqueue.task.poison import Handled, Hopeless, TryLater
from pgqueue.task.registry import App
from tests.consumer.conftest import PLAN, AsyncScript, Clock, Said, SyncScript, held
from tests.consumer.test_execution import Ending

WORDS = "orders.run"


class Hook:
    """A poison hook that answers as told and keeps its contexts."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Context] = []

    def function(self) -> Any:
        def on_poison(ctx: Context) -> Any:
            self.asked.append(ctx)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, BaseException) and not isinstance(answer, (Handled, Hopeless, TryLater)):
                raise answer
            return answer

        return on_poison


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def execution(app: App, doors: Doors, clock: Clock) -> Execution:
    return Execution(app, doors, clock, lambda: None, lambda: 0.5)


def register(app: App, hook: Hook | None, identity: Identity | None = None) -> None:
    @app.task(WORDS, queue="orders", identity=identity, on_poison=hook.function() if hook else None)
    def run(organization: str = "", kind: str = "", execution_id: str = "") -> None:
        raise AssertionError("a poison message must not run")


def payload(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"task": WORDS, "args": list(args), "kwargs": kwargs}


def end(execution: Execution, message: Any, *, read_ct: int = 6, **rest: Any) -> Verdict:
    """Let one delivery come to its end; where a hook is to be asked, ask it."""
    prepared = execution.prepare(held(message, read_ct=read_ct, **rest))
    if isinstance(prepared, Verdict):
        return prepared
    assert isinstance(prepared, Job)
    return execution.run(prepared)


def test_with_five_reads_allowed_the_handler_runs_five_times(execution: Execution, app: App) -> None:
    """U63."""
    runs: list[int] = []

    @app.task("t", queue="orders")
    def t(ctx: Context) -> None:
        runs.append(ctx.attempt)
        raise ValueError

    for n in range(1, 8):
        end(execution, {"task": "t"}, read_ct=n)
    assert runs == [1, 2, 3, 4, 5]


BY_POSITION = Identity(key=Arg(2), scope=Arg(0))
BY_SIGNATURE = Identity(key="execution_id", scope="organization")


@pytest.mark.parametrize("identity", [BY_POSITION, BY_SIGNATURE])
def test_an_identity_that_is_only_positional_is_recovered_marked_and_then_buried(
    execution: Execution, app: App, identity: Identity, said: Said
) -> None:
    """U64: before the burial, not after it."""
    hook = Hook(Handled())
    register(app, hook, identity)
    assert end(execution, payload("acme", "batch", "run-7")).reason == "handled"
    (ctx,) = hook.asked
    assert (ctx.identity.key, ctx.identity.scope) == ("run-7", "acme")
    assert [event for _, event in said.events()] == ["message.poisoned", "message.buried"]


def test_kwargs_come_first_then_paths_then_positions_and_empty_counts_as_absent(
    execution: Execution, app: App
) -> None:
    """U65: and what is found is a text; 0 is a real key."""
    hook = Hook(Handled())

    @app.task(
        WORDS, queue="orders", identity=Identity(key=("id", "context.id", Arg(2))), on_poison=hook.function()
    )
    def run(a: Any = None, b: Any = None, c: Any = None, **kwargs: Any) -> None: ...

    for kwargs in ({"id": 0}, {"id": "", "context": {"id": "path"}}, {"id": None, "context": {"id": ""}}):
        end(execution, payload("x", "y", "position", **kwargs))
    assert [ctx.identity.key for ctx in hook.asked] == ["0", "path", "position"]


@pytest.mark.parametrize("args", [[], ["acme"], ["acme", "batch"], "acme", {"0": "acme"}, None, 7])
def test_arguments_that_are_too_short_or_no_list_find_nothing_and_raise_nothing(
    execution: Execution, app: App, args: Any
) -> None:
    """U66."""
    register(app, Hook(Handled()), BY_POSITION)
    message = {"task": WORDS, "args": args, "kwargs": {}}
    assert end(execution, message).reason in ("unidentified", "malformed")


def test_the_rule_is_chosen_by_the_task_name_in_the_payload(execution: Execution, app: App) -> None:
    """U67, U69: there is no second argument that could say otherwise, or be left out."""
    hook = Hook(Handled())
    register(app, hook, BY_SIGNATURE)

    @app.task("other", queue="orders", identity=Identity(key="a"), on_poison=hook.function())
    def other(a: str, b: str) -> None: ...

    end(execution, {"task": "other", "args": ["first", "second"]})
    end(execution, payload("acme", "batch", "run-7"))
    assert [ctx.identity.key for ctx in hook.asked] == ["first", "run-7"]


def test_a_position_comes_from_the_handlers_own_signature_and_cant_drift(app: App) -> None:
    """U68: an identity that the signature doesn't provide is refused at registration."""
    with pytest.raises(ConfigurationError, match="no parameter for the identity"):
        register(app, None, Identity(key=Arg(3)))
    with pytest.raises(ConfigurationError, match="no parameter for the identity"):
        register(app, None, Identity(key="execution"))


def test_a_confirmed_mark_is_followed_by_the_burial(execution: Execution, app: App, said: Said) -> None:
    """U70, U76: and is a warning, not an error."""
    register(app, Hook(Handled()), BY_SIGNATURE)
    found = end(execution, payload("acme", "batch", "run-7"))
    assert (found.verb, found.reason) == (Verb.BURY, "handled")
    assert said.events() == [("ERROR", "message.poisoned"), ("WARNING", "message.buried")]


def test_a_key_without_its_scope_is_buried_unasked(execution: Execution, app: App) -> None:
    """U71: waiting can't help."""
    hook = Hook(Handled())
    register(app, hook, BY_SIGNATURE)
    found = end(execution, payload(None, "batch", "run-7"))
    assert (found.verb, found.reason, hook.asked) == (Verb.BURY, "unidentified", [])


def test_a_mark_that_can_be_made_later_is_asked_for_again_until_the_budget_is_used_up(
    execution: Execution, app: App, said: Said
) -> None:
    """U72: re-parked for 300 s at reads 6 to 9; at the tenth, the last that read hands out, buried unconfirmed."""
    hook = Hook(TryLater())
    register(app, hook, BY_SIGNATURE)
    found = [end(execution, payload("acme", "b", "run-7"), read_ct=n) for n in range(6, 11)]
    assert [(one.verb, one.delay) for one in found[:4]] == [(Verb.RETRY, 300.0)] * 4
    assert (found[4].verb, found[4].reason) == (Verb.BURY, "unconfirmed")
    assert len(hook.asked) == 5
    assert said.events()[-1] == ("ERROR", "message.buried")


def test_the_hook_says_for_how_long(execution: Execution, app: App) -> None:
    """U72."""
    register(app, Hook(TryLater(7), TryLater(0)), BY_SIGNATURE)
    message = payload("acme", "b", "run-7")
    assert [end(execution, message).delay for _ in range(2)] == [7.0, 0.0]


def test_the_cap_is_the_queues_own_whatever_the_process_overrides(execution: Execution, app: App) -> None:
    """U72: with a budget of 1 the hook is asked once."""
    register(app, Hook(TryLater()), BY_SIGNATURE)
    plan = replace(PLAN, max_reads=2, hard_cap=6)
    reasons = [end(execution, payload("a", "b", "c"), read_ct=n, plan=plan).reason for n in range(3, 7)]
    assert reasons == [None, None, None, "unconfirmed"]


def test_a_deferral_is_logged_as_what_the_hook_said_not_as_what_became_of_the_message(
    execution: Execution, app: App, said: Said
) -> None:
    """U73: the row may be gone by then; the settler says so when it is."""
    register(app, Hook(TryLater()), BY_SIGNATURE)
    end(execution, payload("acme", "b", "run-7"))
    assert said.events() == [("ERROR", "message.poisoned"), ("WARNING", "hook.deferred")]
    assert said.the("hook.deferred")["retry_in"] == 300.0


def test_without_any_identity_found_it_is_buried_with_its_payload_in_the_log(
    execution: Execution, app: App, said: Said
) -> None:
    """U75, U80: and, other than in the reference, in the dead letter."""
    hook = Hook(Handled())
    register(app, hook, BY_SIGNATURE)
    found = end(execution, payload(None, "batch"))
    assert (found.verb, found.reason, hook.asked) == (Verb.BURY, "unidentified", [])
    assert said.the("message.poisoned")["payload"]["args"] == [None, "batch"]


def test_a_task_without_an_identity_asks_its_hook_all_the_same(execution: Execution, app: App) -> None:
    hook = Hook(Hopeless())
    register(app, hook)
    assert end(execution, payload()).reason == "hopeless"
    assert len(hook.asked) == 1


class Hostile(BaseException):
    def __str__(self) -> str:
        raise MemoryError


@pytest.mark.parametrize(
    "failure",
    [
        ValueError("down"),
        Hostile(),
        SystemExit(3),
        StopIteration(),
        Retry(5),
        None,
        "handled",
        Retry,
        Handled,
    ],
)
def test_a_hook_that_fails_in_any_way_is_asked_again_later(
    execution: Execution, app: App, failure: Any, said: Said
) -> None:
    """U76: it never raises, and the message with its identity is kept."""
    register(app, Hook(failure), BY_SIGNATURE)
    found = end(execution, payload("acme", "b", "run-7"))
    assert (found.verb, found.delay, found.error) == (Verb.RETRY, 300.0, None)
    assert said.the("hook.deferred")["error"]


def test_a_poison_line_says_what_it_is_about_and_shows_no_secret(
    execution: Execution, app: App, said: Said
) -> None:
    """U77."""
    app.task(WORDS, queue="orders", identity=Identity(key="id", scope="org"))(lots)
    kwargs = {"id": 7, "org": "acme", "headers": {"Authorization": "hunter2", "X-Api-Key": "hunter2"},
              "my_token": "hunter2", "client_secret": ["hunter2"], "body": "x" * 10_000}  # fmt: skip
    end(execution, payload(**kwargs), msg_id=42)
    line = said.the("message.poisoned")
    named = ("task", "msg_id", "attempt", "queue", "key", "scope")
    assert [line[name] for name in named] == [WORDS, 42, 6, "orders", "7", "acme"]
    assert "hunter2" not in said.everything()
    assert line["payload"]["kwargs"]["body"].endswith("(10000 characters)")


def lots(**kwargs: Any) -> None: ...


def test_releases_are_left_out_and_lapsed_leases_count(execution: Execution, app: App) -> None:
    """U78: attempts are reads without releases; a lease that ran out is a read like any other."""
    register(app, None)
    assert end(execution, payload(), read_ct=6).reason == "poison"
    assert isinstance(execution.prepare(held(payload(), read_ct=9, release_ct=4)), Job)


@pytest.mark.parametrize("shape", [None, 7, "text", [], ["x"], True, {"id": {"id": []}}])
@pytest.mark.parametrize("place", ["kwargs", "context", "headers"])
def test_what_should_be_an_object_and_isnt_never_escapes(
    execution: Execution, app: App, place: str, shape: Any
) -> None:
    """U79: the message is buried."""
    app.task(
        WORDS,
        queue="orders",
        identity=Identity(key=("id", "context.id")),
        on_poison=Hook(Handled()).function(),
    )(lots)
    kwargs = shape if place == "kwargs" else {"context": shape}
    headers = shape if place == "headers" else None
    found = end(execution, {"task": WORDS, "kwargs": kwargs}, headers=headers)
    assert found.verb is Verb.BURY


def test_the_last_error_stays_with_the_dead_letter(execution: Execution, app: App) -> None:
    """U80: a burial brings no error text of its own that would replace the handler's."""
    register(app, Hook(Handled(), Hopeless(), TryLater()), BY_SIGNATURE)
    message = payload("acme", "b", "run-7")
    assert [end(execution, message, read_ct=10).error for _ in range(3)] == [None] * 3
    assert end(execution, payload()).error is None


def test_the_hook_of_the_task_comes_before_that_of_the_queue_before_that_of_the_app(
    execution: Execution, app: App
) -> None:
    own, queues, apps = Hook(Handled()), Hook(Handled()), Hook(Handled())
    register(app, own)
    app.on_poison("orders")(queues.function())
    app.on_poison()(apps.function())
    app.task("plain", queue="orders")(lots)
    end(execution, payload())
    end(execution, {"task": "plain"})
    end(execution, {"task": "plain"}, plan=replace(PLAN, queue="others"))
    assert [len(hook.asked) for hook in (own, queues, apps)] == [1, 1, 1]


async def test_an_async_hook_is_awaited_and_a_stop_gives_the_message_back(
    execution: Execution, app: App
) -> None:
    @app.on_poison()
    async def hook(ctx: Context) -> Any:
        if ctx.message.msg_id == 1:
            return Handled()
        raise asyncio.CancelledError

    register(app, None)
    job = execution.prepare(held(payload(), read_ct=6))
    assert isinstance(job, Job)
    assert job.is_async
    assert (await execution.run_async(job, stopping=lambda: False)).reason == "handled"
    job = execution.prepare(held(payload(), read_ct=6, msg_id=2))
    assert isinstance(job, Job)
    assert (await execution.run_async(job, stopping=lambda: True)).verb is Verb.RELEASE


@pytest.mark.parametrize("after", [Handled(), Hopeless(), TryLater(), ValueError("after the commit")])
def test_effects_of_the_hook_and_the_burial_are_one_transaction(app: App, clock: Clock, after: Any) -> None:
    ending = Ending(None)
    execution = Execution(app, Doors(AsyncScript(), lambda _: SyncScript(), ending), clock, lambda: None)

    @app.on_poison()
    def hook(ctx: Context) -> Any:
        with ctx.tx():
            pass
        if isinstance(after, ValueError):
            raise after
        return after

    register(app, None)
    assert end(execution, payload()).verb is Verb.NOTHING
    assert ending.last().name == "message.bury"
    assert "handled" in ending.last().params


def test_a_hook_that_lost_the_lease_settles_nothing(app: App, clock: Clock) -> None:
    ending = Ending(StaleReceipt("lost"))
    execution = Execution(app, Doors(AsyncScript(), lambda _: SyncScript(), ending), clock, lambda: None)
    one: list[Held] = []

    @app.on_poison()
    def hook(ctx: Context) -> Any:
        with ctx.tx():
            pass

    register(app, None)
    job = execution.prepare(held(payload(), read_ct=6))
    assert isinstance(job, Job)
    one.append(job.held)
    assert execution.run(job).verb is Verb.NOTHING
    assert one[0].lost


def test_a_handler_has_no_answer_of_a_hook(execution: Execution, app: App) -> None:
    @app.task("t", queue="orders")
    def t() -> Any:
        return Handled()

    assert end(execution, {"task": "t"}, read_ct=1).verb is Verb.RETRY
