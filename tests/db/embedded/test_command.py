from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pgqueue.cli.embedded import command
from pgqueue.db import embedded

STOPPED = embedded.EmbeddedStatus(
    running=False,
    pid=None,
    version=None,
    data_dir=Path("/d/pg18/data"),
    socket_dir=None,
    port=None,
    listening=False,
    holders=0,
    clients=0,
    size_bytes=0,
    kept=False,
)


@pytest.mark.parametrize("verb", ["", "start", "stop", "status", "dsn"])
def test_every_help_shows_an_example(verb: str) -> None:
    done = CliRunner().invoke(command, [*verb.split(), "--help"])
    assert done.exit_code == 0
    assert "Example:\n" in done.output


def test_the_status_of_nothing_is_readable_by_people_and_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "status", lambda _: STOPPED)
    text = CliRunner().invoke(command, ["status"])
    assert "running     no\n" in text.output
    assert "pid         -\n" in text.output
    found = json.loads(CliRunner().invoke(command, ["status", "--json"]).output)
    assert (found["running"], found["pid"], found["data_dir"]) == (False, None, "/d/pg18/data")


def test_the_connection_string_goes_to_stdout_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "dsn", lambda **options: f"dbname={options['database']}")
    done = CliRunner().invoke(command, ["dsn", "--database", "shop"])
    assert (done.stdout, done.stderr) == ("dbname=shop\n", "")
