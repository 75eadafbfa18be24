"""The command line in this process, with a scripted client where a command would dial."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from pgqueue.call import Call
from pgqueue.cli.main import main
from pgqueue.client import sync


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@dataclass
class ScriptedClient:
    """Answers each verb with what the test put into `answers`; an error is raised. `calls` has what was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def answer(*arguments: Any, **named: Any) -> Any:
            self.calls.append((verb, arguments, named))
            found = self.answers[verb]
            if isinstance(found, Exception):
                raise found
            return found

        return answer

    def called(self, verb: str) -> list[tuple[Any, ...]]:
        return [arguments for name, arguments, _ in self.calls if name == verb]


@dataclass
class CallingClient:
    """Answers each `Call` by its name with the next of its `answers`, the last one again and again. `asked`: the parameters."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, call: Call[Any]) -> Any:
        self.asked.append((call.name, tuple(call.params)))
        waiting = self.answers[call.name]
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PG", "DATABASE_URL")):
            monkeypatch.delenv(name)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `pgqueue WORD...` with these bytes on standard input."""

    def run(*words: str, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["pgqueue", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        code = main()
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ScriptedClient:
    scripted = ScriptedClient()
    monkeypatch.setattr(sync, "PgQueue", lambda _dsn: scripted)
    return scripted


@pytest.fixture
def calling(monkeypatch: pytest.MonkeyPatch) -> CallingClient:
    scripted = CallingClient()
    monkeypatch.setattr(sync, "PgQueue", lambda _dsn: scripted)
    return scripted


@pytest.fixture
def somebody_sits_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("barriers", "claims", "dead", "queues", "send"):
        monkeypatch.setattr(f"pgqueue.cli.{command}.can_ask", lambda: True)
