"""Our own rules for SQL, so that a reader can trust what a file looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "sql" / "functions"
MIGRATIONS = ROOT / "sql" / "migrations"
CLOCK = FUNCTIONS / "00_support" / "clock.sql"

# Their functions are the templates that are cloned for each queue of the kind.
TEMPLATE_SUFFIX = {"18_row": "__template_queue", "19_log": "__template_log"}
HEADER_LINES = 8
FILE_LINES = 150

# Functions that may do without a pinned search_path, and why.
UNPINNED = {
    "is_suspect": "inlined into its callers, which a SET clause would prevent; every name in it is qualified",
    "new_receipt": "the same",
    "limit_key": "the same",
    "floor__template_queue": "a step of read: runs with its rights, path and planner settings, and nobody else may call it",
    **dict.fromkeys(
        (
            f"{step}__template_log"
            for step in (
                "adopt",
                "change_sides",
                "floor",
                "fresh_xid",
                "gaps",
                "lapse",
                "mend",
                "set_aside",
                "skip_rolled_back",
                "sweep",
                "take",
            )
        ),
        "a step of the log's verbs: runs with their rights, path and planner settings, and nobody else may call it",
    ),
}
CLOCKS = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\("
    r"|\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b"
    r"|'(now|today)'",
    re.IGNORECASE,
)
SEARCH_PATH = re.compile(r"^set search_path = (pg_catalog, pg_temp|'')$", re.MULTILINE)
BODY = re.compile(r"^as \$\w*\$\n", re.MULTILINE)
CREATE = re.compile(r"^create or replace function pgqueue\.(\w+)\s*\(", re.MULTILINE)
CALL = re.compile(r"\bpgqueue\.(\w+)\(")


@dataclass(frozen=True)
class Function:
    """One function file, taken apart."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def folder(self) -> str:
        return self.path.parent.name

    @property
    def sql_name(self) -> str:
        return self.name + TEMPLATE_SUFFIX.get(self.folder, "")

    @property
    def declaration(self) -> str:
        return BODY.split(self.text)[0]

    @property
    def header(self) -> list[str]:
        """The comment lines at the top of the body."""
        lines = BODY.split(self.text)[1].splitlines()
        return lines[: next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))]

    @property
    def code(self) -> str:
        return without_comments(self.text)


def without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


@cache
def functions() -> list[Function]:
    found = [Function(path, path.read_text()) for path in sorted(FUNCTIONS.glob("*/*.sql"))]
    assert len(found) > 40, "the function files were not found"
    return found


def all_sql() -> Iterator[Path]:
    yield from sorted((ROOT / "sql").rglob("*.sql"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_one_function_a_file_named_like_the_file() -> None:
    offenders = {
        relative(f.path): created for f in functions() if (created := CREATE.findall(f.text)) != [f.sql_name]
    }
    assert offenders == {}


def test_function_folders_have_numbers_of_their_own() -> None:
    folders = sorted(path.name for path in FUNCTIONS.iterdir())
    assert [name for name in folders if not re.fullmatch(r"\d\d_[a-z_]+", name)] == []
    assert len({name[:2] for name in folders}) == len(folders)


def test_a_folder_calls_only_lower_folders_and_itself() -> None:
    home = {f.sql_name: f.folder for f in functions()}
    upwards = [
        f"{relative(f.path)} calls {called} of {home[called]}"
        for f in functions()
        for called in CALL.findall(f.code)
        if called in home and home[called] > f.folder
    ]
    assert upwards == []


def test_header_stands_inside_the_body_and_is_short() -> None:
    offenders = {
        relative(f.path): len(f.header) for f in functions() if not 1 <= len(f.header) <= HEADER_LINES
    }
    assert offenders == {}


@pytest.mark.parametrize(
    ("word", "applies"),
    [
        ("returns:", r"^returns (?!void)"),
        ("writes", r"\b(insert into|update pgqueue\.|delete from|truncate)\b"),
        ("locks", r"\bfor (no key )?update\b|pg_advisory_xact_lock|\block table\b"),
        ("raises:", r"pgqueue\.fault\("),
    ],
)
def test_header_says_what_the_caller_must_know(word: str, applies: str) -> None:
    """The words may share a line: `Writes, locks: as read__<queue>`."""
    offenders = [
        relative(f.path)
        for f in functions()
        if re.search(applies, f.code, re.MULTILINE) and word not in " ".join(f.header).lower()
    ]
    assert offenders == []


def test_only_the_clock_reads_the_clock() -> None:
    offenders = [
        f"{relative(path)}: {match.group()}"
        for path in all_sql()
        if path != CLOCK
        for match in CLOCKS.finditer(without_comments(path.read_text()))
    ]
    assert offenders == []


def test_shipped_clock_is_the_wall_clock_and_stable() -> None:
    """Tests replace the body in their databases; this file must never be one of theirs."""
    code = without_comments(CLOCK.read_text())
    assert "language plpgsql stable" in code
    assert re.search(r"as \$\$\s*begin\s*return clock_timestamp\(\);\s*end\s*\$\$;\s*$", code)


def test_clock_is_not_read_inside_a_predicate() -> None:
    inside = re.compile(r"\b(where|on|and|or|having)\b[^;]{0,80}(=|<|>)\s*pgqueue\.clock\(\)", re.IGNORECASE)
    assert [relative(path) for path in all_sql() if inside.search(without_comments(path.read_text()))] == []


def test_every_function_pins_its_search_path() -> None:
    unpinned = {f.sql_name: f for f in functions() if not SEARCH_PATH.search(f.declaration)}
    assert unpinned.keys() == UNPINNED.keys()
    assert [name for name, f in unpinned.items() if "security definer" in f.declaration] == []


def test_nothing_is_granted_to_public() -> None:
    granted = re.compile(r"\bto\s+public\b", re.IGNORECASE)
    assert [relative(path) for path in all_sql() if granted.search(without_comments(path.read_text()))] == []


def test_no_id_is_claimed_by_a_subselect_that_may_run_twice() -> None:
    """`IN (select … limit)` may be executed again per row; `= any (array(select …))` runs once."""
    twice = re.compile(r"\bin\s*\(\s*select\b[^)]*\blimit\b", re.IGNORECASE)
    assert [relative(f.path) for f in functions() if twice.search(f.code)] == []


def test_sql_files_are_short() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in all_sql()}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_migrations_are_numbered_without_gaps_and_name_what_they_do() -> None:
    names = sorted(path.name for path in MIGRATIONS.glob("*.sql"))
    assert [name for name in names if not re.fullmatch(r"\d{4}_[a-z]+(_[a-z0-9]+)+\.sql", name)] == []
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert names


def test_migrations_say_why_and_whether_old_workers_can_go_on() -> None:
    header = re.compile(r"\A-- why: \S.*\n-- breaking: (yes|no)\n-- transaction: (yes|no)\n")
    assert [path.name for path in MIGRATIONS.glob("*.sql") if not header.match(path.read_text())] == []
