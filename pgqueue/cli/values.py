"""Types of values on the command line."""

from __future__ import annotations

from typing import Any

import click
import orjson


class Seconds(click.ParamType[float]):
    """A duration: a plain number of seconds, as everywhere in pgqueue."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is no number of seconds, such as 300 or 0.5", param, ctx)


class Setting(click.ParamType[tuple[str, Any]]):
    """NAME=VALUE, where VALUE is JSON or else a string."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        name, separator, text = str(value).partition("=")
        if not separator:
            self.fail(f"{value!r} is not NAME=VALUE, such as vt=60", param, ctx)
        try:
            return name, orjson.loads(text)
        except orjson.JSONDecodeError:
            return name, text
