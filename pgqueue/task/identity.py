"""What a message is about: declared at the task, resolved from the payload, kept in the headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pgqueue.errors import InvalidInput
from pgqueue.message.rules import clean_error

KEY_HEADER = "pgqueue-key"
SCOPE_HEADER = "pgqueue-scope"
LONGEST_BYTES = 255


@dataclass(frozen=True, slots=True)
class Arg:
    """One positional argument of a task message, counted from 0; for tasks whose signature is foreign."""

    position: int

    def __post_init__(self) -> None:
        """Refuse a position that no argument can have."""
        position: object = self.position
        if not isinstance(position, int) or isinstance(position, bool) or position < 0:
            raise InvalidInput(f"the position of an argument is an integer from 0 on, not {position!r}")


Source = str | Arg


@dataclass(frozen=True, slots=True)
class Identity:
    """Where to find the key, and the scope that it is unique in.

    A source is a parameter ("order_id"), a path into a parameter ("order.id"), or `Arg(2)`; several are tried
    in turn: first the names in kwargs, then the paths, then by position.
    """

    key: Source | Sequence[Source]
    scope: Source | Sequence[Source] = ()

    def __post_init__(self) -> None:
        """Refuse a source that could never be found."""
        if not self.key_sources:
            raise InvalidInput("an identity needs a key")
        for source in (*self.key_sources, *self.scope_sources):
            if isinstance(source, str) and not all(source.split(".")):
                raise InvalidInput(f"{source!r} is no parameter and no path like 'order.id'")
            if not isinstance(source, (str, Arg)):
                raise InvalidInput(
                    f"a source of an identity is a string or an Arg, not {type(source).__name__}"
                )

    @property
    def key_sources(self) -> tuple[Source, ...]:
        return _sources(self.key)

    @property
    def scope_sources(self) -> tuple[Source, ...]:
        return _sources(self.scope)


@dataclass(frozen=True, slots=True)
class Subject:
    """What was found: texts, or None. 0 is a real key; null, "" and whatever is no text or integer is not."""

    key: str | None = None
    scope: str | None = None

    def headers(self) -> dict[str, str]:
        """The reserved headers that the producer stores."""
        found = {KEY_HEADER: self.key, SCOPE_HEADER: self.scope}
        return {name: value for name, value in found.items() if value is not None}


NOBODY = Subject()


def resolve(identity: Identity | None, args: Any, kwargs: Any, names: Sequence[str] = ()) -> Subject:
    """Find key and scope in a task's arguments. `names` are the handler's positional parameters, in order.

    Never raises: type and bounds are checked at each step, and what doesn't fit is not found.
    """
    if identity is None:
        return NOBODY
    given = kwargs if isinstance(kwargs, dict) else {}
    listed = args if isinstance(args, (list, tuple)) else ()
    return Subject(
        _first(identity.key_sources, given, listed, names),
        _first(identity.scope_sources, given, listed, names),
    )


def stored(headers: Any) -> Subject:
    """Read the identity that the producer stored; it wins over everything that is resolved later."""
    if not isinstance(headers, dict):
        return NOBODY
    return Subject(_text(headers.get(KEY_HEADER)), _text(headers.get(SCOPE_HEADER)))


def settle(kept: Subject, found: Subject) -> Subject:
    """Let the stored value win, part by part."""
    return Subject(
        found.key if kept.key is None else kept.key, found.scope if kept.scope is None else kept.scope
    )


def is_found(identity: Identity | None, subject: Subject) -> bool:
    """Tell whether every part that the task declares was found."""
    if identity is None:
        return True
    return subject.key is not None and (subject.scope is not None or not identity.scope_sources)


def printable(name: str) -> str:
    """Return a name out of a message (its key, its task) as a terminal may show it: one short line."""
    return (clean_error(name[:LONGEST_BYTES]) or "").replace("\n", " ")


def _first(
    sources: Sequence[Source], kwargs: dict[str, Any], args: Sequence[Any], names: Sequence[str]
) -> str | None:
    for value in _candidates(sources, kwargs, args, names):
        if (text := _text(value)) is not None:
            return text
    return None


def _candidates(
    sources: Sequence[Source], kwargs: dict[str, Any], args: Sequence[Any], names: Sequence[str]
) -> Iterable[Any]:
    plain = [source for source in sources if isinstance(source, str) and "." not in source]
    paths = [source.split(".") for source in sources if isinstance(source, str) and "." in source]
    yield from (kwargs.get(name) for name in plain)
    yield from (_walk(kwargs.get(root), rest) for root, *rest in paths)
    for source in sources:
        if isinstance(source, Arg):
            yield _at(args, source.position)
        else:
            root, *rest = source.split(".")
            yield _walk(_at(args, names.index(root)), rest) if root in names else None


def _walk(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _at(args: Sequence[Any], position: int) -> Any:
    return args[position] if position < len(args) else None


def _text(value: Any) -> str | None:
    """Return a text that can stand in a header and in an index, or None."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    try:
        text = str(value)
        fits = 0 < len(text.encode()) <= LONGEST_BYTES
    except ValueError:  # an integer of thousands of digits, or half of a surrogate pair
        return None
    return text if fits and "\x00" not in text else None


def _sources(declared: Source | Sequence[Source]) -> tuple[Source, ...]:
    return (declared,) if isinstance(declared, (str, Arg)) else tuple(declared)
