"""Rules of the Python side that no linter knows; the floors are import-linter's, in pyproject.toml."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pgqueue"

BANNED_WORDS = {"manager", "helper", "helpers", "util", "utils", "common", "misc", "base"}

# Where everything is caught and not raised again: the function, and why. Anywhere else an error has a class.
CATCHES_ALL = {
    "pgqueue/cli/main.py:main": "whoever typed a command gets a line and a code; --debug shows the traceback",
    "pgqueue/consumer/execution.py:Execution.ends": "its handler is foreign code",
    "pgqueue/consumer/execution.py:Execution.ends_async": "its handler is foreign code",
    "pgqueue/consumer/execution.py:Execution.run_async": "its handler is foreign code",
    "pgqueue/consumer/execution.py:Execution.run": "the same, in a thread",
    "pgqueue/consumer/failure.py:_message": "the text of an error is foreign code as well",
    "pgqueue/consumer/failure.py:_frames": "a source file that can't be read must not hide the failure",
    "pgqueue/consumer/outcome.py:raised": "an answer may be of a foreign class",
    "pgqueue/consumer/outcome.py:_repark_delay": "the same",
    "pgqueue/daemon/http.py:_Handler._reply": "whatever is wrong with one answer, the next probe is to be answered",
    "pgqueue/reaper/rounds.py:run_round": "a fault in one chore must not end the others",
    "pgqueue/consumer/lease.py:Renewal._repeat": "the thread that keeps the leases outlives any failure",
    "pgqueue/consumer/watchdog.py:Watchdog._repeat": "the thread that tells how it goes outlives any failure",
}


@cache
def modules() -> dict[Path, ast.Module]:
    parsed = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
    assert parsed
    return parsed


def catchers(tree: ast.AST, inside: str = "") -> Iterator[str]:
    """Yield the name of the function around each handler that catches everything."""
    for node in ast.iter_child_nodes(tree):
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        here = f"{inside}.{node.name}".lstrip(".") if named else inside  # type: ignore[attr-defined]
        if isinstance(node, ast.ExceptHandler) and catches_all(node):
            yield here
        yield from catchers(node, here)


def catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return not isinstance(handler.body[-1], ast.Raise) and any(
        isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds
    )


def test_no_room_has_a_name_that_says_nothing() -> None:
    paths = [
        *PACKAGE.rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "tests_integration").rglob("*.py"),
    ]
    assert [str(path) for path in paths if BANNED_WORDS & set(re.split(r"[_/]", path.stem))] == []


def test_no_class_has_a_name_that_says_nothing() -> None:
    names = [
        node.name for tree in modules().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in names if re.search(r"(Manager|Helper|Utils?|Base)$", name)] == []


def test_everything_is_caught_only_where_the_reason_is_written_down() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{function}"
        for path, tree in modules().items()
        for function in catchers(tree)
    }
    assert found == set(CATCHES_ALL)


def test_a_catcher_of_everything_is_found() -> None:
    tree = ast.parse("class A:\n def f(self):\n  try: pass\n  except (OSError, Exception): pass\n")
    assert list(catchers(tree)) == ["A.f"]


def test_a_handler_that_raises_again_catches_nothing() -> None:
    tree = ast.parse("def f():\n try: pass\n except BaseException:\n  x = 1\n  raise\n")
    assert list(catchers(tree)) == []


def test_no_rule_reads_a_clock() -> None:
    """Rules, models and calls decide from values; the time is an argument."""
    pure = [path for path in modules() if path.stem in {"rules", "model", "calls", "outcome"}]
    assert pure
    read = re.compile(r"\b(datetime\.now|time\.time|time\.monotonic|perf_counter|date\.today)\(")
    assert [str(path) for path in pure if read.search(path.read_text())] == []
