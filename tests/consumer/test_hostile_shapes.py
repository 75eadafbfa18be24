"""Whatever a message holds, and whatever a task declares: nothing of the way from claim to verdict raises."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pgqueue import log
from pgqueue.consumer.execution import Execution
from pgqueue.consumer.job import Batch, Job
from pgqueue.consumer.model import Doors, Verb, Verdict
from pgqueue.errors import ConfigurationError
from pgqueue.message.rules import MAX_ERROR_BYTES
from pgqueue.task.context import Context
from pgqueue.task.identity import Arg, Identity
from pgqueue.task.poison import TryLater
from pgqueue.task.registry import App
from tests.consumer.conftest import AsyncScript, Clock, NoTransactions, SyncScript, held

# Text as Postgres can hold it: no NUL, no half of a surrogate pair.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT | st.sampled_from(["a", "token"]), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(["a", "b", "rest", "nothing"])
SOURCES = (
    NAMES | st.builds(".".join, st.lists(NAMES, min_size=2, max_size=4)) | st.builds(Arg, st.integers(0, 6))
)
IDENTITIES = st.none() | st.builds(
    Identity, st.lists(SOURCES, min_size=1, max_size=3), st.lists(SOURCES, max_size=3)
)
TASKS = st.fixed_dictionaries(
    {"task": st.just("t") | JSON},
    optional={
        "args": st.lists(JSON, max_size=6) | JSON,
        "kwargs": st.dictionaries(NAMES, JSON) | JSON,
        "x": JSON,
    },
)


CONTROLS = {chr(n) for n in (*range(32), *range(127, 160))} - {"\n", "\t"}


class Loud(Exception):
    """Says what it was given: the worst that a handler's exception can do."""


def make(identity: Identity | None, *, batch: bool) -> Execution:
    app = App()

    def t(a: Any = None, b: Any = None, *more: Any, **rest: Any) -> Any:
        raise Loud(a, b, more, rest)

    def ask(ctx: Context) -> Any:
        ctx.logger.warning("seen")
        if ctx.message.msg_id % 2:
            raise Loud(ctx.message.message, ctx.identity)
        return TryLater()

    try:
        app.task("t", queue="orders", identity=identity, on_poison=ask)(t)
    except ConfigurationError:  # what the signature can't provide is refused before any message comes
        app.task("t", queue="orders", on_poison=ask)(t)

    @app.messages("orders", identity=None if batch else identity, batch=10 if batch else None, on_poison=ask)
    def plain(message: Any) -> Any:
        raise Loud(message)

    doors = Doors(AsyncScript(), lambda _: SyncScript(), NoTransactions())
    return Execution(app, doors, Clock(), lambda: None)


@settings(max_examples=400)
@given(
    payload=JSON | TASKS,
    headers=JSON,
    identity=IDENTITIES,
    read_ct=st.integers(1, 12),
    msg_id=st.integers(1, 2),
    broken=st.none() | TEXT,
    fmt=st.sampled_from(["json", "console"]),
    batch=st.booleans(),
)
def test_every_message_comes_to_a_verdict_that_the_database_takes(
    payload: Any,
    headers: Any,
    identity: Identity | None,
    read_ct: int,
    msg_id: int,
    broken: str | None,
    fmt: str,
    *,
    batch: bool,
) -> None:
    with logged(fmt) as stream:
        execution = make(identity, batch=batch)
        one = held(payload, read_ct=read_ct, msg_id=msg_id, headers=headers, broken=broken)
        prepared = execution.prepare(one)
        ends = execution.ends(prepared) if isinstance(prepared, (Job, Batch)) else [prepared]
    (verdict,) = ends
    check(verdict)
    text = stream.getvalue()
    assert len(text) < 100_000
    assert not set(text) & CONTROLS
    if fmt == "json":
        assert all(json.loads(line)["event"] for line in text.split("\n") if line)


@contextmanager
def logged(fmt: str) -> Iterator[io.StringIO]:
    """Log as the command does; what can't be written fails the test instead of being swallowed by `logging`."""
    stream, logger = io.StringIO(), logging.getLogger("pgqueue")
    before = logger.handlers[:], logger.level, logger.propagate
    log.configure(fmt, "debug", stream=stream)
    logger.handlers[0].handleError = _fail  # type: ignore[method-assign]
    try:
        yield stream
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


def _fail(record: logging.LogRecord) -> None:
    raise  # noqa: PLE0704 - called from the `except` of the handler


def check(verdict: Verdict) -> None:
    assert verdict.verb is not Verb.NOTHING
    assert verdict.delay >= 0
    if verdict.verb is Verb.BURY:
        assert verdict.reason
    for text in (verdict.reason, verdict.error):
        assert text is None or ("\x00" not in text and len(text.encode()) <= MAX_ERROR_BYTES)
