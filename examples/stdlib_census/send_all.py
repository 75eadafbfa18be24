"""Send one message for every Python file of the standard library, in one transaction with the application's own rows."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Callable
from pathlib import Path

import psycopg
from census import count_file

# Where an interpreter ships no file that ast refuses, these take their place.
BROKEN = {
    "bad_syntax.py": b"def broken(:\n    pass\n",
    "bad_encoding.py": b"# -*- coding: utf-8 -*-\nname = '\xff\xfe'\n",
    "nul_byte.py": b"name = 'a\x00b'\n",
}


def standard_library() -> list[Path]:
    """Return every .py file of the running interpreter's standard library, without installed packages."""
    root = Path(sysconfig.get_path("stdlib"))
    return sorted(
        p for p in root.rglob("*.py") if "site-packages" not in p.parts and "dist-packages" not in p.parts
    )


def parses(path: Path) -> bool:
    """Tell whether ast takes the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return False
    return True


def add_broken_files(folder: Path) -> list[Path]:
    """Write the three broken files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in BROKEN.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in BROKEN]


def send_all(dsn: str, files: list[Path], sent: Callable[[], None] = lambda: None) -> None:
    """Write the rows and send the messages: all of them are there after the commit, or none."""
    with psycopg.connect(dsn, prepare_threshold=None) as connection:
        for path in files:
            msg_id = count_file.send(connection, path=str(path))
            connection.execute(
                "insert into pgqueue_demo.source_file (path, bytes, msg_id) values (%s, %s, %s)",
                (str(path), path.stat().st_size, msg_id),
            )
            sent()
