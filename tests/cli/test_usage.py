"""What is typed wrongly is answered by one line and code 2, and nothing is dialled."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run

NOWHERE = ("--dsn", "host=127.0.0.1 port=1")


@pytest.mark.parametrize("words", [(), ("queues",), ("dead",), ("embedded",), ("barriers",), ("claims",)])
def test_without_a_command_the_help_comes_and_code_2(run: Run, words: tuple[str, ...]) -> None:
    ended = run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(" ".join(("Usage: pgqueue", *words)))
    assert "Commands:" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("snd",), "pgqueue: no command 'snd'. Did you mean send?"),
        (("zzz",), "There are: demo, embedded, migrate,"),
        (("queues", "lst"), "pgqueue queues: no command 'lst'. Did you mean list?"),
        (("--loud",), "No such option '--loud'"),
        (("--debug",), "Missing command"),
        (("send", "orders", "1", "--dealy", "5"), "--delay"),
        (("peek", "orders", "--qty", "1", "--qty", "2"), "--qty is given twice"),
        (("queues", "create", "orders", "--set", "vt=5", "--set", "vt=6"), "a setting is given twice"),
        (("send",), "Missing argument 'QUEUE'"),
        (("consume",), "Missing"),
        (("consume", "--app", "x:y"), "Missing argument 'QUEUE...'"),
        (("send", "orders", "1", "2"), "2"),
        (("send", "orders", "-5"), "Put -- before a value that starts with a minus"),
        (("send", "orders", "1", "--priority", "10"), "--priority"),
        (("send", "orders", "--lines", "1"), "--lines reads standard input"),
        (("send", "orders", "--lines", "--key", "k"), "--lines reads standard input"),
        (("peek", "orders", "--state", "asleep"), "asleep"),
        (("peek", "orders", "--qty", "0"), "--qty"),
        (("peek", "orders", "--after", "first"), "--after"),
        (("dead", "redrive", "orders"), "name the ids, or say --all"),
        (("dead", "redrive", "orders", "7", "--all"), "name the ids, or say --all"),
        (("dead", "redrive", "orders", "seven"), "seven"),
        (("queues", "create", "orders", "--set", "vt"), "NAME=VALUE"),
        (("queues", "create", "orders", "--kind", "heap"), "heap"),
        (("migrate", "--sql", "--plan"), "neither --plan nor --json"),
        (("migrate", "--sql", "--json"), "neither --plan nor --json"),
        (("demo", "--files", "1"), "--files"),
        (("demo", "orchestration", "--files", "20"), "--files belongs to the census"),
        (("demo", "censsus"), "censsus"),
        (("barriers", "lst"), "Did you mean list?"),
        (("barriers", "list", "--state", "asleep"), "asleep"),
        (("barriers", "abort", "export-7", "--yes"), "--reason"),
        (("barriers", "results", "export-7", "--after", "-2"), "--after"),
        (("claims", "show", "orchestrate"), "Missing argument 'KEY'"),
        (("claims", "list", "--state", "live"), "live"),
    ],
)
def test_wrong_words_get_one_line_that_names_them(run: Run, words: tuple[str, ...], said: str) -> None:
    ended = run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "--help." in ended.err


@pytest.mark.parametrize("text", ["5m", "abc", "5 m", "", "0x10", "1:00"])
@pytest.mark.parametrize("words", [("send", "orders", "1", "--delay"), ("consume", "orders", "--vt")])
def test_a_duration_is_a_number_of_seconds(run: Run, words: tuple[str, ...], text: str) -> None:
    ended = run(*words, text)
    assert ended.code == 2
    assert f"{text!r} is no number of seconds, such as 300 or 0.5" in ended.err


@pytest.mark.parametrize("delay", ["-1", "nan", "inf", "31622401"])
def test_a_delay_out_of_range_is_answered_with_the_range(run: Run, delay: str) -> None:
    ended = run("send", "orders", "1", f"--delay={delay}", *NOWHERE)
    assert ended.code == 2
    assert "allowed are 0 .. 31622400 s" in ended.err


NAMES = [
    ".",
    "..",
    "a/b",
    "../etc/passwd",
    "Orders",
    "a;drop table x",
    "%s",
    "ordérs",
    "a\nb",
    "\udcff",
    "1a",
    "x" * 48,
]


@pytest.mark.parametrize("name", ["-x", "--help", *NAMES, ""])
def test_a_bad_queue_name_is_never_an_option_or_a_path(run: Run, name: str) -> None:
    ended = run("queues", "create", *NOWHERE, "--", name)
    assert (ended.code, ended.out) == (2, "")
    assert "queue name" in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [("send", "..", "1"), ("peek", ".."), ("dead", "list", ".."), ("dead", "redrive", "..", "1")]
    + [("queues", verb, "..") for verb in ("show", "configure")]
    + [("queues", verb, "..", "--yes") for verb in ("purge", "drop")]
    + [("consume", "..", "--app", "x:y")],
)
def test_every_command_checks_the_name_before_it_dials(run: Run, words: tuple[str, ...]) -> None:
    ended = run(*words, *NOWHERE)
    assert ended.code == 2
    assert "queue name '..' breaks the rule" in ended.err


def test_a_name_like_an_option_makes_no_queue(run: Run) -> None:
    assert run("queues", "create", "-x", *NOWHERE).code == 2
    asked = run("queues", "create", "--help", *NOWHERE)
    assert (asked.code, asked.err) == (0, "")


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").out.startswith("pgqueue, version 0.")


def test_completion_is_offered_for_the_shell(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_PGQUEUE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "pgqueue se")
    monkeypatch.setenv("COMP_CWORD", "1")
    ended = run()
    assert ended.code == 0
    assert "send" in ended.out
