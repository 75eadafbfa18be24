"""Print the longest files and functions of the package; exit 1 where one is over its limit."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LIMIT = 300
FUNCTION_LIMIT = 40  # without the docstring
SHOWN = 3

Sized = list[tuple[int, str]]


def files(folder: Path) -> Sized:
    """Return (lines, path) of each Python file, longest first."""
    return sorted(
        ((len(p.read_text().splitlines()), _relative(p)) for p in folder.rglob("*.py")), reverse=True
    )


def functions(folder: Path) -> Sized:
    """Return (lines, path:name) of each function, longest first."""
    found = [
        (_length(node), f"{_relative(path)}:{node.name}")
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return sorted(found, reverse=True)


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = function.body[0] if ast.get_docstring(function) else None
    uncounted = (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1 if docstring else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - uncounted


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def main() -> int:
    longest_files, longest_functions = files(ROOT / "pgqueue"), functions(ROOT / "pgqueue")
    for what, sized in (("file", longest_files), ("function", longest_functions)):
        print(f"longest {what}s:", ", ".join(f"{name} {lines}" for lines, name in sized[:SHOWN]))
    too_long = longest_files[0][0] > FILE_LIMIT or longest_functions[0][0] > FUNCTION_LIMIT
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
