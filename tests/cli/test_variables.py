"""A misspelt variable is named, instead of being ignored in silence."""

from __future__ import annotations

import pytest

from pgqueue.cli.variables import unread_variables
from tests.architecture.test_docs import table
from tests.cli.conftest import Run, ScriptedClient


def test_every_documented_variable_is_known() -> None:
    documented = dict.fromkeys(table("settings.md", "## Of a process"), "x")
    assert "PGQUEUE_VT" in documented
    assert unread_variables(documented) == {}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PGQUEUE_DNS", "PGQUEUE_DSN"),
        ("PGQUEUE_EMBEDED_DIR", "PGQUEUE_EMBEDDED_DIR"),
        ("PGQUEUE_EMBEDDED_IDLE_SECOND", "PGQUEUE_EMBEDDED_IDLE_SECONDS"),
        ("PGQUEUE_PGBIN", "PGQUEUE_PG_BIN"),
        ("PGQUEUE_CONCURENCY", "PGQUEUE_CONCURRENCY"),
        ("PGQUEUE_HEALTHSTALE", "PGQUEUE_HEALTH_STALE"),
    ],
)
def test_each_command_names_what_was_meant(
    run: Run, client: ScriptedClient, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    client.answers["list_queues"] = []
    monkeypatch.setenv(name, "1")
    ended = run("queues", "list", "--json")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"pgqueue: nothing reads the variable {name}; did you mean {meant}?\n"


def test_what_resembles_nothing_is_passed_over(
    run: Run, client: ScriptedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.answers["list_queues"] = []
    monkeypatch.setenv("PGQUEUE_SERVICE_HOST", "10.0.0.1")  # as Kubernetes does for a service named pgqueue
    monkeypatch.setenv("PGQUEUE_PORT_5432_TCP", "tcp://10.0.0.1:5432")
    assert run("queues", "list").err == ""
