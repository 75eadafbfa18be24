"""The help and the reference page say what there is, and asking costs nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pgqueue.cli import exit_code
from pgqueue.cli.main import cli
from tests.cli.conftest import Run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
HEAVY = (
    "psycopg",
    "rich",
    "structlog",
    "tenacity",
    "pgqueue.client",
    "pgqueue.db.connect",
    "pgqueue.consumer",
)


def commands(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command and group below this one with its words."""
    if path:
        yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below is not None
            yield from commands(below, *path, name)


EVERY = dict(commands(cli))
LEAVES = {words: command for words, command in EVERY.items() if not isinstance(command, click.Group)}


def options(command: click.Command) -> list[click.Option]:
    return [p for p in command.params if isinstance(p, click.Option) and not p.hidden]


@pytest.mark.parametrize("words", [(), *EVERY], ids=" ".join)
def test_help_has_an_example_and_is_whole(run: Run, words: tuple[str, ...]) -> None:
    ended = run(*words, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^  Example:\n    (pgqueue|psql) ", ended.out, re.MULTILINE)
    assert "\\b" not in ended.out
    assert "..." not in re.sub(r"(QUEUE|ARGS|MSG_ID)\]?\.\.\.", "", ended.out), "a summary is cut off"


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_option_says_what_it_does(words: tuple[str, ...]) -> None:
    assert [
        option.name for option in options(LEAVES[words]) if not (option.help or "").endswith((".", ")"))
    ] == []


def test_every_command_that_prints_data_can_print_json() -> None:
    without = {
        words for words, command in LEAVES.items() if "as_json" not in {p.name for p in command.params}
    }
    assert without == {("demo",), ("consume",)}


@pytest.mark.parametrize("words", [(), *EVERY], ids=" ".join)
def test_help_imports_nothing_that_is_slow(words: tuple[str, ...]) -> None:
    program = (
        "import sys; from pgqueue.cli.main import main; code = main(); "
        f"print('imported', [m for m in {HEAVY!r} if m in sys.modules], code)"
    )
    asked = [sys.executable, "-c", program, *words, "--help"]
    shown = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "imported [] 0"


def sections() -> dict[str, str]:
    """Return the text of the reference page by heading."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_documented() -> None:
    assert set(sections()) == {"Exit codes"} | {" ".join(("pgqueue", *words)) for words in EVERY}


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_argument_and_option_is_documented_with_its_default(words: tuple[str, ...]) -> None:
    command, path = LEAVES[words], " ".join(("pgqueue", *words))
    text = sections()[path]
    usage = " ".join(command.collect_usage_pieces(click.Context(command)))
    assert f"`{path} {usage}`" in text
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `--")]
    documented = {re.findall(r"--[a-z-]+", row[0])[0]: row[1].strip("`") for row in rows}
    assert set(documented) == {option.opts[0] for option in options(command)}
    shown = {option.opts[0]: str(option.default) for option in options(command) if option.show_default}
    assert {name: documented[name] for name in shown} == shown


def test_every_exit_code_is_documented() -> None:
    codes = {value for name, value in vars(exit_code).items() if name.isupper() and isinstance(value, int)}
    assert set(map(int, re.findall(r"^\| `(\d+)`", sections()["Exit codes"], re.MULTILINE))) == codes
