"""Whatever a shell, a service or a container does to a process: it works, and shows no traceback."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests_integration.cli.conftest import PROGRAM, Pgqueue

WORD = "é€😀"


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path, orders: str) -> Pgqueue:
    """Run a line of bash in which `pgqueue` is the command."""

    def run(line: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = f'pgqueue() {{ {shlex.join(PROGRAM)} "$@"; }}\n{line}'
        return subprocess.run(
            ["bash", "-c", command],
            env=environment | environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=30,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    "words",
    [
        "peek orders --qty 1000",
        "peek orders --qty 1000 --json",
        "--help",
        "migrate --sql",
        "queues list --json",
    ],
)
def test_a_reader_that_has_enough_is_no_error(shell: Pgqueue, pgqueue: Pgqueue, words: str) -> None:
    lines = "".join(json.dumps("x" * 200) + "\n" for _ in range(1_000))
    assert pgqueue("send", "orders", "--lines", stdin=lines).returncode == 0
    ended = shell(f"pgqueue {words} | head -1; echo ${{PIPESTATUS[0]}}")
    assert ended.stderr == ""
    first, code = ended.stdout.splitlines()
    assert (bool(first), code) == (True, "0")


def test_a_closed_pipe_from_the_start_is_no_error(shell: Pgqueue) -> None:
    ended = shell("(sleep 0.1; pgqueue queues list; echo $? >&2) | true")
    assert ended.stderr == "0\n"


def test_a_full_disk_under_the_output_is_an_error(shell: Pgqueue) -> None:
    ended = shell("pgqueue queues list >/dev/full; echo $?")
    assert ended.stdout == "1\n"
    assert ended.stderr == "pgqueue: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pgqueue send orders 1 <&-", "1\n0\n"),
        ("pgqueue send orders <&-", "2\n"),
        ("pgqueue queues list --json 2>&- | wc -l", "1\n0\n"),
        ("pgqueue queues list >&-", "0\n"),
        ("pgqueue nonsense <&- >&- 2>&-", "2\n"),
        ("pgqueue queues purge orders <&-", "2\n"),
        ("pgqueue dead redrive orders --all <&-", "2\n"),
        ("pgqueue send orders 1 <&- >&- 2>&-; pgqueue peek orders --json | wc -l", "1\n0\n"),
    ],
)
def test_closed_streams_are_no_trouble(shell: Pgqueue, line: str, said: str) -> None:
    ended = shell(f"{line}\necho $?")
    assert ended.stdout == said
    assert "Traceback" not in ended.stderr


def test_a_deleted_directory_is_no_trouble(shell: Pgqueue) -> None:
    ended = shell(
        "mkdir gone; cd gone; rmdir ../gone; pgqueue send orders 1; pgqueue consume orders --app no:app"
    )
    assert ended.stdout == "1\n"
    assert any(line.startswith("pgqueue: can't import no:") for line in ended.stderr.splitlines())
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {"HOME": None},
        {"HOME": "/nonexistent"},
        {"LANG": "C"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LANG": "no_SUCH.locale"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"NO_COLOR": "1"},
        {"TERM": "dumb", "COLUMNS": "20"},
        {"TERM": None},
        {"TZ": "Asia/Kathmandu"},
        {"PGTZ": "Asia/Kathmandu"},
    ],
    ids=str,
)
def test_locale_terminal_and_home_change_nothing_in_the_json(
    pgqueue: Pgqueue, orders: str, environ: dict[str, str | None]
) -> None:
    sent = pgqueue(
        "send", "orders", stdin=json.dumps(WORD, ensure_ascii=False), encoding="utf-8", environ=environ
    )
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, "1\n", "")
    as_json = pgqueue("peek", "orders", "--json", environ=environ, encoding="utf-8")
    assert json.loads(as_json.stdout)["message"] == WORD
    for_people = pgqueue("peek", "orders", environ=environ, encoding="utf-8", errors="replace")
    assert (for_people.returncode, for_people.stderr) == (0, "")
    assert "\x1b" not in for_people.stdout


def test_a_directory_that_takes_no_files_is_no_trouble(pgqueue: Pgqueue, orders: str) -> None:
    assert pgqueue("send", "orders", "1", cwd="/proc").stdout == "1\n"


def test_a_misspelt_variable_is_named_once_on_stderr(pgqueue: Pgqueue, orders: str) -> None:
    ended = pgqueue("queues", "list", "--json", environ={"PGQUEUE_DNS": "x"})
    assert ended.stderr == "pgqueue: nothing reads the variable PGQUEUE_DNS; did you mean PGQUEUE_DSN?\n"
    assert json.loads(ended.stdout)["queue"] == "orders"


def test_ctrl_c_while_it_waits_ends_with_130_and_one_line(environment: dict[str, str], orders: str) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "send", "orders"], env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(b" " * 1_000_000)  # more than the pipe holds: it returns when the command reads
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=10)[1]
    assert (process.returncode, said) == (130, b"pgqueue: stopped\n")
