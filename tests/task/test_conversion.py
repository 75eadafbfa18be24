"""Typed arguments. The models stand at the top: annotations are resolved where the module can see them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import sys
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, TypedDict

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pgqueue.consumer.execution import Execution
from pgqueue.consumer.job import Job
from pgqueue.consumer.model import Doors, Verb, Verdict
from pgqueue.errors import ConfigurationError, PayloadError
from pgqueue.json_codec import decode
from pgqueue.message.model import Message
from pgqueue.task.context import Context
from pgqueue.task.conversion import asks
from pgqueue.task.identity import Identity
from pgqueue.task.registry import App
from tests.consumer.conftest import AsyncScript, Clock, NoTransactions, SyncScript, held

WHEN = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Colour(enum.Enum):
    RED = "red"


class Line(BaseModel):
    sku: str
    qty: Annotated[int, Field(gt=0)]


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int
    lines: list[Line] = []
    placed_at: dt.datetime | None = Field(default=None, alias="placedAt")

    @field_validator("id")
    @classmethod
    def known(cls, value: int) -> int:
        if value == 13:
            raise ValueError(f"unlucky {value}")
        if value == 666:
            raise KeyError("a bug of the model")
        return value


class StrictOrder(BaseModel):
    model_config = ConfigDict(strict=True)
    id: uuid.UUID


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Plain(TypedDict):
    a: int


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def execution(app: App) -> Execution:
    doors = Doors(AsyncScript(), lambda _: SyncScript(), NoTransactions())
    return Execution(app, doors, Clock(), lambda: None)


def run(execution: Execution, *args: Any, task: str | None = "t", **kwargs: Any) -> Verdict:
    message = {"task": task, "args": list(args), "kwargs": kwargs} if task else args[0]
    job = execution.prepare(held(message))
    assert isinstance(job, Job)
    return execution.run(job)


SKU = NewType("SKU", uuid.UUID)


@pytest.mark.parametrize(
    "annotation",
    [Order, list[Order], Order | None, dict[str, list[Order]], Point, uuid.UUID, dt.date, dt.datetime | int, Decimal,
     Colour, set[str], frozenset, bytes, Annotated[int, Field(gt=0)], Literal[Colour.RED], SKU, tuple[uuid.UUID, int]],
)  # fmt: skip
def test_what_json_cant_be_asks_for_conversion(annotation: Any) -> None:
    assert asks(annotation)


@pytest.mark.parametrize(
    "annotation",
    [int, str, float, bool, None, type(None), list, dict, list[int], dict[str, Any], Any, object, int | None, Plain,
     Literal["a"], tuple[int, int], Message, Annotated[int, "a note"], Context],
)  # fmt: skip
def test_plain_annotations_ask_for_nothing(annotation: Any) -> None:
    assert not asks(annotation)


def test_arguments_are_converted_wherever_they_stand(execution: Execution, app: App) -> None:
    seen: list[Any] = []

    @app.task("t", queue="orders")
    def t(
        order: Order, point: Point, ctx: Context, plain: dict[str, int], *ids: uuid.UUID, when: dt.datetime,
        colour: Colour = Colour.RED, **prices: Decimal,
    ) -> None:  # fmt: skip
        seen.extend([order, point, plain, ids, when, colour, prices, ctx.attempt])

    order = {"id": 7, "lines": [{"sku": "a", "qty": 2}], "placedAt": WHEN.isoformat()}
    assert (
        run(execution, order, {"x": 1}, {"a": 1}, str(ID), str(ID), when=WHEN.isoformat(), tea="1.10").verb
        is Verb.DELETE
    )
    assert seen == [
        Order(id=7, lines=[Line(sku="a", qty=2)], placedAt=WHEN), Point(1), {"a": 1}, (ID, ID), WHEN, Colour.RED,
        {"tea": Decimal("1.10")}, 1,
    ]  # fmt: skip


def test_a_plain_message_is_converted_too(execution: Execution, app: App) -> None:
    seen: list[Order] = []

    @app.messages("orders")
    def handle(order: Order) -> None:
        seen.append(order)

    assert run(execution, {"id": 7}, task=None).verb is Verb.DELETE
    assert seen == [Order(id=7)]
    assert run(execution, {"id": "x"}, task=None).reason == "malformed"


def test_json_rules_count_also_for_a_strict_model(execution: Execution, app: App) -> None:
    seen: list[StrictOrder] = []

    @app.task("t", queue="orders")
    def t(order: StrictOrder) -> None:
        seen.append(order)

    assert run(execution, {"id": str(ID)}).verb is Verb.DELETE
    assert seen == [StrictOrder(id=ID)]


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({}, "missing a required argument: 'order'"),
        ({"order": {"id": "hunter2"}}, "order.id: int_parsing"),
        (
            {"order": {"id": 1, "lines": [{"sku": "hunter2", "qty": -1}, {}]}},
            "order.lines.0.qty: greater_than",
        ),
        ({"order": {"id": 1, "hunter": "hunter2"}}, "order.hunter: extra_forbidden"),
        ({"order": {"id": 13}}, "order.id: value_error"),
        ({"order": {"id": 1}, "at": "hunter2"}, "at: datetime_from_date_parsing"),
        ({"order": ["hunter2"]}, "order: model_type"),
        ({"order": {"id": 1, "lines": [{}] * 500}}, "and 995 more"),
        ({"order": {"id": 1, "x" * 5000: 1}}, "order.xxx"),
    ],
)
def test_an_invalid_payload_is_buried_at_once_and_its_values_are_shown_nowhere(
    execution: Execution, app: App, kwargs: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task("t", queue="orders")
    def t(order: Order, at: dt.datetime = WHEN) -> None:
        raise AssertionError("must not run")

    found = run(execution, **kwargs)
    assert (found.verb, found.reason) == (Verb.BURY, "malformed")
    assert why in (found.error or "")
    assert len(found.error or "") < 1000
    assert "hunter2" not in repr(found) + caplog.text
    assert "unlucky" not in repr(found)


async def test_an_async_handler_is_typed_as_well(execution: Execution, app: App) -> None:
    seen: list[Any] = []

    @app.task("t", queue="orders")
    async def t(order: Order) -> None:
        seen.append(order.id)

    for order_id in (7, "x"):
        job = execution.prepare(held({"task": "t", "kwargs": {"order": {"id": order_id}}}))
        assert isinstance(job, Job)
        await execution.run_async(job, stopping=lambda: False)
    assert seen == [7]


def test_a_bug_in_a_model_is_a_failure_that_is_tried_again(execution: Execution, app: App) -> None:
    @app.task("t", queue="orders")
    def t(order: Order) -> None: ...

    assert run(execution, {"id": 666}).verb is Verb.RETRY


def sent(call: Any) -> tuple[Any, Any]:
    message, headers, *_ = call.params
    return decode(str(message)), headers and decode(str(headers))


def test_models_are_sent_as_the_json_that_the_handler_reads(app: App, execution: Execution) -> None:
    seen: list[Any] = []

    @app.task("t", queue="orders", identity=Identity(key="order.id", scope="org"))
    def t(order: Order, point: Point, org: str, at: dt.datetime = WHEN) -> None:
        seen.append((order, point, org, at))

    order = Order(id=7, lines=[Line(sku="a", qty=1)], placedAt=WHEN)
    message, headers = sent(t.call(order, Point(1, 2), org="acme", at=WHEN))
    assert message["args"][0]["placedAt"] == "2030-01-01T12:00:00Z"
    assert headers == {"pgqueue-key": "7", "pgqueue-scope": "acme"}
    assert run(execution, *message["args"], **message["kwargs"]).verb is Verb.DELETE
    assert seen == [(order, Point(1, 2), "acme", WHEN)]


def test_a_dict_may_be_sent_for_a_model_and_is_checked(app: App) -> None:
    @app.task("t", queue="orders")
    def t(order: Order) -> None: ...

    assert sent(t.call({"id": 7}))[0]["args"] == [{"id": 7}]
    with pytest.raises(PayloadError, match=r"order\.lines\.0\.qty: missing"):
        t.call(order={"id": 7, "lines": [{"sku": "a"}]})
    with pytest.raises(PayloadError, match="order: not serializable"):
        t.call(order=object())


@pytest.mark.parametrize("annotation", ["Order", "list[Point]", "uuid.UUID", "dt.datetime | None"])
def test_without_pydantic_a_typed_handler_is_refused_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, app: App, annotation: str
) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)

    def t(order: Any, plain: int) -> None: ...

    t.__annotations__["order"] = annotation
    with pytest.raises(ConfigurationError, match=r"typed arguments \(order\).*pgqueue-engine\[pydantic\]"):
        app.task("t", queue="orders")(t)
    assert app.tasks == {}


def test_without_pydantic_plain_annotations_are_as_before(monkeypatch: pytest.MonkeyPatch, app: App) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)

    @app.task("t", queue="orders")
    def t(a: int, b: dict[str, list[int]] | None = None, *, c: object = None) -> None: ...

    assert t.conversion is None


def test_an_annotation_that_pydantic_refuses_is_refused_at_registration(app: App) -> None:
    class Foreign:
        pass

    def t(value: Any) -> None: ...

    t.__annotations__["value"] = set[Foreign]
    with pytest.raises(ConfigurationError, match="argument value, whose annotation pydantic refuses"):
        app.task("t", queue="orders")(t)


def test_an_annotation_that_cant_be_resolved_leaves_the_others_their_types(app: App) -> None:
    def t(order: Any, other: Any) -> None: ...

    t.__annotations__.update(order="Order", other="imported_for_type_checkers_only.Other")
    task = app.task("t", queue="orders")(t)
    assert task.conversion is not None
    assert list(task.conversion.adapters) == ["order"]
