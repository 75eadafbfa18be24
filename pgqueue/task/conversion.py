"""Typed arguments: from JSON to what the annotations of a handler name, and back.

Pydantic does it, and is imported only where an annotation asks for more than JSON has.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Annotated, Any, Literal, Protocol, get_args, get_origin

from pgqueue.errors import PayloadError
from pgqueue.json_codec import encode
from pgqueue.message.rules import clean_error
from pgqueue.task.signature import POSITIONAL, Layout, annotations_of, refuse

DEEPEST = 8
MOST_PROBLEMS = 5
LONGEST_PLACE = 80

# What JSON has no type for. A tuple isn't among them: a list does instead.
_NOT_JSON = (
    uuid.UUID, dt.date, dt.time, dt.timedelta, decimal.Decimal, enum.Enum, set, frozenset, bytes,
    pathlib.PurePath, ipaddress.IPv4Address, ipaddress.IPv6Address,
)  # fmt: skip
_NOTES_OF = ("pydantic", "pydantic_core", "annotated_types")


class Adapter(Protocol):
    """What is used of pydantic's TypeAdapter."""

    def validate_json(self, data: str, /) -> Any: ...

    def dump_python(
        self, value: Any, /, *, mode: Literal["json"], by_alias: bool, round_trip: bool, warnings: bool
    ) -> Any: ...


class BadArguments(Exception):
    """The arguments of a task message aren't those that its handler declares. The text shows no value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Conversion:
    """The parameters of one handler that are converted; the others are passed on as they came."""

    layout: Layout
    adapters: Mapping[str, Adapter]
    star: str | None  # the name of *args, where it is converted
    double_star: str | None
    refusals: tuple[type[Exception], ...]

    def load(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Turn the JSON of a message into arguments. Raises BadArguments."""
        try:
            self.layout.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise BadArguments(_clean(str(error))) from None
        problems: list[str] = []

        def load_one(adapter: Adapter, place: str, value: Any) -> Any:
            try:
                return adapter.validate_json(encode(value))
            except PayloadError as error:
                problems.append(f"{place}: {error.message}")
            except self.refusals as error:
                problems.extend(_problems(place, error))
            return None

        loaded = self._each(args, kwargs, load_one)
        if problems:
            raise BadArguments(_listed(problems))
        return loaded

    def dump(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Turn arguments into JSON that `load` takes. Raises PayloadError naming what it wouldn't."""

        def dump_one(adapter: Adapter, place: str, value: Any) -> Any:
            try:
                plain = adapter.dump_python(
                    value, mode="json", by_alias=True, round_trip=True, warnings=False
                )
                adapter.validate_json(encode(plain))
            except PayloadError as error:
                raise PayloadError(
                    f"argument {place}: {error.message}", cure=error.cure, path=place
                ) from None
            except self.refusals as error:
                what = _listed(_problems(place, error))
                raise PayloadError(f"the handler wouldn't take its arguments: {what}", path=place) from None
            return plain

        return self._each(args, kwargs, dump_one)

    def _each(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        change: Callable[[Adapter, str, Any], Any],
    ) -> tuple[list[Any], dict[str, Any]]:
        names, adapters = self.layout.names, self.adapters
        changed = []
        for place, value in enumerate(args):
            name = names[place] if place < len(names) else self.star
            adapter = adapters.get(name) if name else None
            changed.append(value if adapter is None else change(adapter, name or "", value))
        parameters = self.layout.signature.parameters
        named = {}
        for name, value in kwargs.items():
            adapter = adapters.get(name if name in parameters else self.double_star or "")
            named[name] = value if adapter is None else change(adapter, name, value)
        return changed, named


def read_conversion(handler: Callable[..., Any], layout: Layout) -> Conversion | None:
    """Find the parameters whose annotations ask for more than JSON has; None when there are none.

    Raises ConfigurationError where pydantic is needed and isn't installed, or can't make sense of one.
    """
    annotations = annotations_of(handler)
    parameters = layout.signature.parameters.values()
    asking = {p.name: annotations[p.name] for p in parameters if asks(annotations.get(p.name, p.empty))}
    if not asking:
        return None
    try:
        from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - optional, and slow to import
        from pydantic_core import PydanticSerializationError  # noqa: PLC0415
    except ImportError:
        raise refuse(
            handler,
            f"has typed arguments ({', '.join(asking)}), which need pydantic",
            "Install pgqueue-engine[pydantic], or annotate them with what JSON has: str, int, float, bool, list, dict.",
        ) from None
    adapters: dict[str, Adapter] = {}
    for name, annotation in asking.items():
        try:
            adapters[name] = TypeAdapter(annotation)
        except (RuntimeError, NameError, TypeError) as error:  # pydantic's own errors are of these
            raise refuse(
                handler,
                f"has the argument {name}, whose annotation pydantic refuses: {_clean(str(error))}",
                "Annotate it with a type that pydantic can build from JSON.",
            ) from error
    kinds = {p.kind: p.name for p in parameters if p.kind not in (*POSITIONAL, Parameter.KEYWORD_ONLY)}
    return Conversion(
        layout,
        adapters,
        kinds.get(Parameter.VAR_POSITIONAL),
        kinds.get(Parameter.VAR_KEYWORD),
        (ValidationError, PydanticSerializationError),
    )


def asks(annotation: Any, depth: int = 0) -> bool:
    """Tell whether an annotation names something that decoded JSON can't be."""
    if depth > DEEPEST:
        return False
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *notes = get_args(annotation)
        return asks(inner, depth + 1) or any(
            type(note).__module__.partition(".")[0] in _NOTES_OF for note in notes
        )
    if origin is Literal:
        return any(isinstance(value, enum.Enum) for value in get_args(annotation))
    if origin is not None:
        return asks(origin, depth + 1) or any(asks(part, depth + 1) for part in get_args(annotation))
    if isinstance(annotation, type):
        return (
            issubclass(annotation, _NOT_JSON)
            or dataclasses.is_dataclass(annotation)
            or hasattr(annotation, "__get_pydantic_core_schema__")
        )
    # typing.NewType, and the alias that `type X = ...` makes
    inner = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
    return inner is not None and asks(inner, depth + 1)


def _problems(place: str, error: Exception) -> list[str]:
    """Say where and of which kind, never the message: pydantic's texts quote the input."""
    details = getattr(error, "errors", None)
    if details is None:
        return [f"{place}: not serializable"]
    found = details(include_url=False, include_context=False, include_input=False)
    return [
        f"{'.'.join([place, *map(str, detail['loc'])])[:LONGEST_PLACE]}: {detail['type']}" for detail in found
    ]


def _listed(problems: Sequence[str]) -> str:
    shown = "; ".join(problems[:MOST_PROBLEMS])
    more = len(problems) - MOST_PROBLEMS
    return _clean(f"{shown}; and {more} more" if more > 0 else shown)


def _clean(text: str) -> str:
    return clean_error(text[: MOST_PROBLEMS * 2 * LONGEST_PLACE]) or ""
