"""JSON text of payloads: strict on the way out, tolerant on the way in.

It knows no driver, so that `message`, `queue` and `task` can use it as well as `db`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import orjson

from pgqueue.errors import PayloadError

MAX_DEPTH = 128
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_MIN_INT, _MAX_INT = -(2**63), 2**64 - 1
_SHOWN_PATH = 80
_STR_ONLY = frozenset({str})
_SCALARS = frozenset({str, int, float, bool, type(None)})

_Problem = tuple[str, str, str | None]


def encode(value: object, *, max_depth: int = MAX_DEPTH) -> str:
    """Turn a JSON value into text for a `jsonb` parameter.

    Takes exactly str, int (64 bit), float (finite), bool, None, list, tuple (becomes a list) and dict with
    str keys, nested at most 128 deep. Subclasses count as unknown types: nothing is converted in silence.
    Raises: PayloadError with the path of the first bad value, like `$.items[3].when`.
    """
    if not _is_plain(value, max_depth):
        _refuse(value, max_depth)
    try:
        data = orjson.dumps(value, option=_STRICT)
    except TypeError:
        _refuse(value, max_depth)
    # Also found in the harmless text of a backslash followed by "u0000": only the search for a path can tell.
    if b"\\u0000" in data:
        for problem in _problems(value, "$", max_depth):
            raise _error(*problem)
    return data.decode()


def decode(text: str) -> Any:
    """Read JSON text that Postgres accepted.

    Integers beyond 64 bit come back as float. Raises: PayloadError where Python can't hold what Postgres can
    (a number of 5,001 digits, nesting beyond 1,024).
    """
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise PayloadError(
            f"the stored JSON can't be decoded: {error}",
            cure="Look at it with SQL; its numbers or its nesting exceed what Python can hold.",
            path="$",
        ) from None


def _is_plain(value: Any, depth: int) -> bool:
    """Tell whether every type, key and float is acceptable. Ranges and characters are left to orjson."""
    # type() and not isinstance(): orjson writes Enum members and UUIDs as strings without asking.
    kind: type = type(value)
    items = value
    if kind is dict:
        items = value.values()
        if not _STR_ONLY.issuperset(map(type, value)):
            return False
    elif kind is not list and kind is not tuple:
        return kind in _SCALARS and (kind is not float or value - value == 0)
    if depth == 0:
        return False
    for item in items:
        kind = type(item)
        if kind is str or kind is int or item is None or kind is bool:
            continue
        if kind is float:
            if item - item != 0:
                return False
        elif not _is_plain(item, depth - 1):
            return False
    return True


def _refuse(value: object, max_depth: int) -> NoReturn:
    for problem in _problems(value, "$", max_depth):
        raise _error(*problem)
    raise _error("$", "the value can't be written as JSON", None)


def _error(path: str, problem: str, cure: str | None) -> PayloadError:
    return PayloadError(f"{problem} at {path}", cure=cure, path=path)


def _problems(value: Any, path: str, depth: int) -> Iterator[_Problem]:
    """Walk in document order and yield (path, problem, cure) of every bad value."""
    kind = type(value)
    if kind is not dict and kind is not list and kind is not tuple:
        yield from _scalar_problems(value, path)
    elif depth == 0:
        cure = "Flatten the payload, and check that no part contains itself."
        yield _short(path), f"nested deeper than {MAX_DEPTH} levels", cure
    elif kind is dict:
        for key, item in value.items():
            yield from _key_problems(key, path)
            yield from _problems(item, f"{path}.{key}", depth - 1)
    else:
        for index, item in enumerate(value):
            yield from _problems(item, f"{path}[{index}]", depth - 1)


def _scalar_problems(value: Any, path: str) -> Iterator[_Problem]:
    kind = type(value)
    if kind is str:
        yield from _text_problems(value, path)
    elif kind is int:
        if not _MIN_INT <= value <= _MAX_INT:
            yield path, "an integer beyond 64 bit", "Send it as a string."
    elif kind is float:
        if value - value != 0:
            yield path, f"{value} is no JSON number", "Send null or a string instead."
    elif kind is not bool and value is not None:
        yield path, f"a value of type {kind.__name__}", _cure_for(value)


def _key_problems(key: object, path: str) -> Iterator[_Problem]:
    if type(key) is not str:
        yield path, f"a key of type {type(key).__name__}", "Use str keys."
    else:
        yield from _text_problems(key, f"{path} (a key)")


def _text_problems(text: str, path: str) -> Iterator[_Problem]:
    if "\0" in text:
        yield path, "a NUL character in a string", "Postgres can't store NUL: remove it, or send base64 text."
    try:
        text.encode()
    except UnicodeEncodeError:
        yield path, "a lone surrogate in a string", "Decode the text with its right encoding first."


def _short(path: str) -> str:
    return f"{path[:_SHOWN_PATH]}..." if len(path) > _SHOWN_PATH else path


def _cure_for(value: object) -> str:
    known = {
        "datetime": "Send value.isoformat().",
        "date": "Send value.isoformat().",
        "time": "Send value.isoformat().",
        "timedelta": "Send value.total_seconds().",
        "UUID": "Send str(value).",
        "Decimal": "Send str(value), or float(value) where its rounding is harmless.",
        "bytes": "Send base64 text.",
        "bytearray": "Send base64 text.",
        "set": "Send sorted(value).",
        "frozenset": "Send sorted(value).",
        "generator": "Send list(value).",
    }
    if hasattr(type(value), "__dataclass_fields__"):
        return "Send dataclasses.asdict(value)."
    if hasattr(type(value), "__members__"):
        return "Send value.value."
    by_name = known.get(type(value).__name__)
    return by_name or "Send a plain str, int, float, bool, None, list or dict; subclasses are refused."
