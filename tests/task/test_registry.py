from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.errors import ConfigurationError, InvalidInput, PayloadError
from pgqueue.json_codec import decode
from pgqueue.queue.model import Backoff
from pgqueue.task.answer import Bury, Retry
from pgqueue.task.context import Context
from pgqueue.task.identity import Arg, Identity
from pgqueue.task.registry import App


class Recorder:
    """A target that keeps the calls and answers 42."""

    def __init__(self) -> None:
        self.calls: list[Call[Any]] = []

    def run(self, call: Call[Any]) -> Any:
        self.calls.append(call)
        return 42


class AsyncRecorder(Recorder):
    async def run(self, call: Call[Any]) -> Any:
        return super().run(call)


def sent(call: Call[Any]) -> tuple[Any, Any]:
    message, headers, *_ = call.params
    return decode(str(message)), None if headers is None else decode(str(headers))


def test_a_send_carries_task_arguments_and_the_resolved_identity() -> None:
    """U57: what else is known of it stands in the headers."""
    app, target = App(), Recorder()

    @app.task("orders.charge", queue="orders", identity=Identity(key="order_id", scope="org"))
    def charge(ctx: Context, order_id: int, org: str = "none") -> str:
        return f"{order_id} {org}"

    assert charge.send(target, 7, org="acme") == 42
    message, headers = sent(target.calls[0])
    assert message == {"task": "orders.charge", "args": [7], "kwargs": {"org": "acme"}}
    assert headers == {"pgqueue-key": "7", "pgqueue-scope": "acme"}
    assert target.calls[0].queue == "orders"


async def test_an_async_target_gives_an_awaitable() -> None:
    app = App()

    @app.task("t", queue="orders")
    async def t() -> None: ...

    assert await t.send(AsyncRecorder()) == 42


def test_options_reach_the_call_and_leave_the_task_as_it_was() -> None:
    app = App()

    @app.task("t", queue="orders")
    def t() -> None: ...

    later = t.given(delay=60, key="k", group_key="g", priority=3, headers={"trace": "x"}).call()
    assert list(later.params)[2:] == [60.0, "k", "g", 3]
    assert sent(later)[1] == {"trace": "x"}
    assert list(t.call().params)[1:] == [None, 0.0, None, None, 0]


def test_a_task_is_still_the_function() -> None:
    app = App()

    @app.task("t", queue="orders")
    def double(n: int) -> int:
        return 2 * n

    assert double(4) == 8


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"order_id": 2}), ((1,), {"x": 1}),
                                              ((), {"order_id": 1, "ctx": 1})])  # fmt: skip
def test_a_call_that_the_handler_cant_take_fails_at_the_producer(args: Any, kwargs: Any) -> None:
    app, target = App(), Recorder()

    @app.task("orders.charge", queue="orders")
    def charge(ctx: Context, order_id: int, org: str = "") -> None: ...

    with pytest.raises(TypeError, match=r"orders\.charge"):
        charge.send(target, *args, **kwargs)
    assert target.calls == []


def test_a_value_that_is_no_json_fails_at_the_producer_with_its_path() -> None:
    app = App()

    @app.task("t", queue="orders")
    def t(when: object) -> None: ...

    with pytest.raises(PayloadError, match=r"\$\.kwargs\.when"):
        t.call(when=object())


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("by_keyword", [True, False])
def test_the_context_goes_where_the_handler_names_it(position: int, *, by_keyword: bool) -> None:
    app = App()

    def first(ctx: Context, a: int, b: int) -> list[object]:
        return [ctx, a, b]

    def middle(a: int, ctx: Context, b: int) -> list[object]:
        return [ctx, a, b]

    def last(a: int, b: int, *, context: Context) -> list[object]:
        return [context, a, b]

    handler: Callable[..., Any] = (first, middle, last)[position]
    task = app.task("t", queue="orders")(handler)
    mark: Any = object()
    args, kwargs = ([], {"a": 1, "b": 2}) if by_keyword else ([1, 2], {})
    args, kwargs = task.layout.arguments(args, kwargs, mark)
    assert handler(*args, **kwargs) == [mark, 1, 2]


def bad_handlers() -> dict[str, Any]:
    def generator():  # type: ignore[no-untyped-def]
        yield 1

    async def async_generator():  # type: ignore[no-untyped-def]
        yield 1

    def positional_context(ctx: Context, /) -> None: ...
    def two_contexts(ctx: Context, other: Context) -> None: ...
    def foreign_ctx(ctx: int) -> None: ...
    def reserved(_pg_transport: bool) -> None: ...
    def star(*ctx: Context) -> None: ...

    return {
        "is a lambda": lambda: None,
        "is no function": type("Handler", (), {}),
        "generator": generator,
        "is a generator": async_generator,
        "positional-only": positional_context,
        "more than one context": two_contexts,
        "is no Context": foreign_ctx,
        "_pg_transport": reserved,
        "star parameter": star,
        "no function": functools.partial(print),
    }


@pytest.mark.parametrize("fault", list(bad_handlers()))
def test_what_cant_be_a_handler_is_refused_at_registration(fault: str) -> None:
    app = App()
    with pytest.raises(ConfigurationError, match=fault) as raised:
        app.task("t", queue="orders")(bad_handlers()[fault])
    assert "test_registry.py:" in str(raised.value) or "no function" in str(raised.value)
    assert app.tasks == {}


def test_a_nested_function_needs_a_name() -> None:
    def nested() -> None: ...

    with pytest.raises(ConfigurationError, match="nested"):
        App().task(queue="orders")(nested)


def test_a_name_is_given_once_and_the_error_says_where_the_first_is() -> None:
    app = App()
    app.task("t", queue="orders")(top_level)
    with pytest.raises(ConfigurationError, match=r"'t' of .*test_registry\.py:\d+.*test_registry\.py:\d+"):
        app.task("t", queue="orders")(other_top_level)


def test_without_a_name_the_function_gives_it() -> None:
    assert App().task(queue="orders")(top_level).name.endswith("test_registry.top_level")


@pytest.mark.parametrize(
    "identity", [Identity(key="nothing"), Identity(key="order.id"), Identity(key="a", scope=Arg(2))]
)
def test_an_identity_that_the_signature_cant_provide_is_refused(identity: Identity) -> None:
    with pytest.raises(ConfigurationError, match="identity"):
        App().task("t", queue="orders", identity=identity)(top_level)


def test_a_bad_backoff_is_refused_at_registration() -> None:
    with pytest.raises(InvalidInput, match="backoff"):
        App().task("t", queue="orders", backoff=Backoff(base=-1))(top_level)


def test_a_bad_queue_name_is_refused_at_registration() -> None:
    with pytest.raises(InvalidInput):
        App().task("t", queue="Orders!")


def test_a_queue_has_one_handler_for_plain_messages_and_it_takes_the_message() -> None:
    app = App()

    @app.messages("orders")
    def plain(message: object, ctx: Context) -> None: ...

    assert app.serves("orders")
    assert not app.serves("other")
    with pytest.raises(ConfigurationError, match="plain messages"):
        app.messages("orders")(plain)
    with pytest.raises(ConfigurationError, match="only argument"):
        App().messages("orders")(top_level)


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), 10**12, "5", True])
def test_a_delay_outside_the_limits_is_refused(delay: Any) -> None:
    with pytest.raises(InvalidInput):
        Retry(delay)


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "a\x00", "\ud800", None, 7])
def test_a_reason_to_bury_is_a_short_text(reason: Any) -> None:
    with pytest.raises(InvalidInput):
        Bury(reason)


@pytest.mark.parametrize("answer", [Bury, lambda _, error: Retry(1, error)])
def test_an_answer_takes_a_text_and_no_exception_that_could_never_be_sent(answer: Any) -> None:
    with pytest.raises(InvalidInput, match="must be a str, not ValueError"):
        answer("why", ValueError("boom"))


def top_level(a: int, b: int) -> None: ...


def other_top_level() -> None: ...


def test_what_follows_a_task_goes_with_its_send() -> None:
    app, target = App(), Recorder()

    @app.task("mail", queue="mails")
    def mail(to: str) -> None: ...

    @app.task("charge", queue="orders", identity=Identity(key="order_id"))
    def charge(order_id: int) -> None: ...

    charge.given(priority=2, on_success=mail.call("x"), on_error=mail.call("y")).send(target, order_id=7)
    charge.given(priority=2).send(target, order_id=7)
    chained, plain = target.calls
    message, on_success, on_error, headers, *rest = chained.params
    assert (message, headers, *rest) == plain.params
    assert [decode(str(one))["message"]["args"] for one in (on_success, on_error)] == [["x"], ["y"]]
    assert (chained.name, plain.name) == ("reply.chain", "message.send")
