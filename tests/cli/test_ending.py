"""Each kind of error has its code and one line on stderr; a traceback comes only with --debug."""

from __future__ import annotations

import errno
import logging
from types import SimpleNamespace

import click
import pytest

from pgqueue import errors
from pgqueue.cli.ending import complain, ended_by
from tests.cli.conftest import Run, ScriptedClient

CODES = [
    (errors.InvalidInput, 2),
    (errors.PayloadError, 2),
    (errors.ConfigurationError, 3),
    (errors.Unavailable, 4),
    (errors.SchemaMismatch, 5),
    (errors.QueueExists, 1),
    (errors.QueueNotEmpty, 1),
    (errors.PermissionDenied, 1),
    (errors.InDoubt, 1),
    (errors.DatabaseError, 1),
]


@pytest.mark.parametrize(("kind", "code"), CODES)
def test_an_error_ends_with_its_code_and_one_line_with_the_cure(
    run: Run, client: ScriptedClient, kind: type[errors.PgQueueError], code: int
) -> None:
    client.answers["send"] = kind("it went\n wrong", cure="Do\nthis.")
    ended = run("send", "orders", "1")
    assert (ended.code, ended.out, ended.err) == (code, "", "pgqueue: it went wrong. Do this.\n")


@pytest.mark.parametrize("words", [("--debug", "send", "orders", "1"), ("send", "orders", "1", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(
    run: Run, client: ScriptedClient, words: tuple[str, ...]
) -> None:
    client.answers["send"] = errors.QueueBusy("busy")
    ended = run(*words)
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("pgqueue: busy")


def test_debug_as_a_message_is_no_option(run: Run, client: ScriptedClient) -> None:
    client.answers["send"] = errors.QueueBusy("busy")
    assert "Traceback" not in run("send", "orders", "--", '"--debug"').err
    assert "Traceback" not in run("send", "orders", "1", "--key", "--debug").err


def test_a_fault_of_ours_is_one_line_that_says_where(run: Run, client: ScriptedClient) -> None:
    client.answers["send"] = KeyError("surprise")
    ended = run("send", "orders", "1")
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert "this is a fault of pgqueue: KeyError: 'surprise' (" in ended.err
    assert "conftest.py:" in ended.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 0, ""),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (KeyboardInterrupt(), 130, "pgqueue: stopped"),
        (click.Abort(), 130, "pgqueue: stopped"),
        (click.exceptions.Exit(6), 6, ""),
        (click.ClickException("no such file"), 1, "pgqueue: no such file"),
    ],
)
def test_other_ways_to_end(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    assert ended_by(error, debug=False) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert len(shown.splitlines()) == bool(said)


def test_an_interrupt_while_reading_ends_with_130(
    run: Run, monkeypatch: pytest.MonkeyPatch, client: ScriptedClient
) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("pgqueue.cli.send._read_input", interrupted)
    ended = run("send", "orders")
    assert (ended.code, ended.err) == (130, "pgqueue: stopped\n")


def test_what_an_error_quotes_can_neither_write_lines_nor_move_the_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    complain("queue \x1b[2J\x1b]0;owned\x07 is\r\nmissing \u202e é \udcff")
    assert (
        capsys.readouterr().err == "pgqueue: queue \\x1b[2J\\x1b]0;owned\\x07 is missing \\u202e é \\udcff\n"
    )


@pytest.mark.parametrize(
    ("names", "hint"),
    [(["orders", "mails"], "Did you mean orders? "), (["mails"], ""), ([], "")],
)
@pytest.mark.parametrize("words", [("send", "ordres", "1"), ("peek", "ordres")])
def test_a_misspelt_queue_is_answered_with_the_near_names(
    run: Run, client: ScriptedClient, words: tuple[str, ...], names: list[str], hint: str
) -> None:
    missing = errors.QueueNotFound('queue "ordres" does not exist', sqlstate="42883", queue="ordres")
    queues = [SimpleNamespace(queue=name) for name in names]
    client.answers = {"send": missing, "peek": missing, "list_queues": queues}
    ended = run(*words)
    assert ended.code == 1
    assert ended.err == (
        f'pgqueue: queue "ordres" does not exist. {hint}`pgqueue queues list` shows all;'
        " `pgqueue queues create ordres` makes it.\n"
    )


def test_who_may_not_list_queues_gets_the_first_error(run: Run, client: ScriptedClient) -> None:
    client.answers = {
        "send": errors.QueueNotFound("no queue", queue="ordres"),
        "list_queues": errors.PermissionDenied("no right"),
    }
    ended = run("send", "ordres", "1")
    assert ended.code == 1
    assert ended.err.startswith("pgqueue: no queue. Create it")


def test_dead_letters_of_a_queue_that_does_not_exist_are_no_empty_list(
    run: Run, client: ScriptedClient
) -> None:
    missing = errors.QueueNotFound("no queue", queue="ordres")
    client.answers = {"dead_letters": [], "metrics": missing, "list_queues": []}
    assert run("dead", "list", "ordres").code == 1
    client.answers["metrics"] = []
    assert run("dead", "list", "ordres").out == "no dead letters in ordres\n"


def test_warnings_of_the_log_are_not_printed_beside_the_error(run: Run, client: ScriptedClient) -> None:
    """The error tells the last attempt; the ones before are for --debug."""
    client.answers = {"send": 1}
    run("send", "orders", "1")
    logger = logging.getLogger("pgqueue.db")
    assert logger.hasHandlers()
