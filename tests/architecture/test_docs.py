"""The reference tables say what the code does; whoever adds a case documents it."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from pgqueue import errors
from pgqueue.log import EVENTS
from pgqueue.queue.model import QueueSettings

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
DEFAULT_SETTINGS = ROOT / "sql" / "functions" / "10_queue" / "default_settings.sql"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
VARIABLE = re.compile(r"\bPGQUEUE_[A-Z][A-Z_]*[A-Z]\b")


def table(name: str, heading: str = "") -> dict[str, list[str]]:
    """Return the rows of a reference page (below a heading, if given), by the name in their first cell."""
    text = (REFERENCE / name).read_text().partition(heading)[2] if heading else (REFERENCE / name).read_text()
    text = re.split(r"^## ", text, flags=re.MULTILINE)[0] if heading else text
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line[:3] == "| `"
    ]
    return {row[0].split("`")[1]: row[1:] for row in rows}


def sql_defaults() -> dict[str, Any]:
    literal = re.search(r"select '(\{.*\})'::jsonb", DEFAULT_SETTINGS.read_text(), re.DOTALL)
    assert literal
    defaults: dict[str, Any] = json.loads(literal.group(1))
    return defaults


def all_errors(root: type[errors.PgQueueError] = errors.PgQueueError) -> set[type[errors.PgQueueError]]:
    return {root}.union(*(all_errors(below) for below in root.__subclasses__()))


def test_every_error_is_documented_with_its_sqlstate() -> None:
    known = {error for error in all_errors() if error.__module__ == "pgqueue.errors"}
    documented = table("errors.md")
    assert set(documented) == {error.__name__ for error in known}
    wrong = {
        error.__name__: documented[error.__name__][0]
        for error in known
        if error.default_sqlstate and documented[error.__name__][0] != f"`{error.default_sqlstate}`"
    }
    assert wrong == {}


def test_every_code_that_sql_raises_has_an_error_class() -> None:
    raised = {
        code
        for path in (ROOT / "sql").rglob("*.sql")
        for code in re.findall(r"'(PQ\d{3})'", path.read_text())
    }
    assert raised <= {error.default_sqlstate for error in all_errors()}


def test_every_event_is_documented_with_its_fields() -> None:
    documented = {name: set(re.findall(r"`(\w+)`", cells[0])) for name, cells in table("events.md").items()}
    assert documented == {name: set(given) for name, given in EVENTS.items()}


def logged() -> Iterator[tuple[str, set[str]]]:
    """Yield each event that the package logs by its literal name, with the fields given there."""
    for path in sorted((ROOT / "pgqueue").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr=level), args=[ast.Constant(value=str(event))]) if (
                    level in LEVELS
                ):
                    yield event, {keyword.arg for keyword in node.keywords if keyword.arg} - {"exc_info"}


def test_the_listed_events_are_those_that_are_logged() -> None:
    found = list(logged())
    assert [(event, given) for event, given in found if not given <= set(EVENTS.get(event, ()))] == []
    assert {event for event, _ in found} == set(EVENTS)


def test_every_event_is_a_noun_and_what_happened_to_it() -> None:
    assert [name for name in EVENTS if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)] == []


def test_every_queue_setting_is_documented_with_its_default() -> None:
    documented = {
        name: json.loads(cells[0].strip("`")) for name, cells in table("settings.md", "## Of a queue").items()
    }
    assert documented == sql_defaults()


def test_python_and_sql_have_the_same_defaults() -> None:
    ours = QueueSettings()
    python = {f.name: getattr(ours, f.name) for f in fields(ours)}
    assert python | {"backoff": ours.backoff._asdict()} == sql_defaults()


def option_variables() -> set[str]:
    """Return the variables that stand for an option of a command, as the command line knows them."""
    names = [path.stem for path in (ROOT / "pgqueue" / "cli").glob("*.py") if path.stem != "__init__"]
    modules = [importlib.import_module(f"pgqueue.cli.{name}") for name in names]
    commands = [module.command for module in modules if hasattr(module, "command")]
    assert commands
    return {str(option.envvar) for command in commands for option in command.params if option.envvar}


def test_every_environment_variable_is_documented() -> None:
    named = {name for path in (ROOT / "pgqueue").rglob("*.py") for name in VARIABLE.findall(path.read_text())}
    assert set(table("settings.md", "## Of a process")) == named | option_variables() | {"DATABASE_URL"}


def test_links_between_our_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_words_that_are_not_ours_are_not_used_in_the_docs() -> None:
    """One word per thing: the glossary in concepts.md has them."""
    pages = [*ROOT.glob("README.md"), *(ROOT / "docs").rglob("*.md")]
    foreign = re.compile(
        r"\b(nack|requeue|DLQ|dead-letter queue|visibility_timeout|exactly-once delivery)\b", re.IGNORECASE
    )
    assert [
        (page.name, foreign.findall(page.read_text())) for page in pages if foreign.search(page.read_text())
    ] == []
