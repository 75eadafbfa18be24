"""Find the app that `--app module:name` means, and say precisely why it can't be had."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from pgqueue.errors import ConfigurationError
from pgqueue.task.registry import App

DEFAULT_NAME = "app"


def load(reference: str) -> App:
    """Import `myapp.tasks:app` (`:app` may be left out) from the working directory or the path.

    Raises ConfigurationError with the last line of the import's error and its file and line.
    """
    module_name, _, name = reference.strip().partition(":")
    if not module_name or not all(part.isidentifier() for part in module_name.split(".")):
        raise ConfigurationError(
            f"--app {reference!r} is not of the form module:name",
            cure="Write it like `--app myapp.tasks:app`.",
        )
    _see_working_directory()
    module = _import(module_name)
    name = name or DEFAULT_NAME
    app = getattr(module, name, None)
    if not isinstance(app, App):
        found = f"is of type {type(app).__name__}, not App" if hasattr(module, name) else "does not exist"
        known = ", ".join(sorted(key for key, value in vars(module).items() if isinstance(value, App)))
        raise ConfigurationError(
            f"{module_name}:{name} {found}",
            cure=f"Name one of: {known}." if known else "Create it with `app = App()`.",
        )
    return app


def _import(module_name: str) -> object:
    try:
        return importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except (
        BaseException
    ) as error:  # whatever a module of the user's raises, SystemExit too, is a fault of the configuration
        raise ConfigurationError(
            f"can't import {module_name}: {_last_line(error)} ({_where(error)})",
            cure="Correct the module; nothing was claimed.",
        ) from error


def _last_line(error: BaseException) -> str:
    lines = traceback.format_exception_only(error)
    return lines[-1].strip() if lines else type(error).__name__


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    ours = (Path(importlib.__file__).parent.as_posix(), __file__)
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((*ours, "<frozen"))
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "not found on the path"


def _see_working_directory() -> None:
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        return  # the directory is gone; what is installed can be found all the same
    if "" not in sys.path and here not in sys.path:
        sys.path.insert(0, here)
