"""Standard input, output and error, as they really come: closed, piped, full, or without UTF-8."""

from __future__ import annotations

import io
import os
import sys


def open_closed_streams() -> None:
    """Put /dev/null where a standard stream is closed: a socket would get its number, and be printed into."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            stream = os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False)
            setattr(sys, name, stream)


def print_anything() -> None:
    """Let text that the terminal's encoding lacks be printed as an escape, not end in an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def can_ask() -> bool:
    """Tell whether somebody sits there who can answer a question."""
    return sys.stdin.isatty()


def give_up_output() -> None:
    """Send what is still buffered to /dev/null: the interpreter's last flush must not fail again."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # no file of the system stands behind it
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
