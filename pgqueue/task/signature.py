"""What the signature of a handler allows, decided once at registration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pgqueue.errors import ConfigurationError
from pgqueue.task.context import Context
from pgqueue.task.identity import Arg, Identity

RESERVED_PREFIX = "_pg_"
CONTEXT_NAME = "ctx"
_UNRESOLVED = (NameError, TypeError, AttributeError, SyntaxError)
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a handler is called: its parameters without the context, and where the context goes."""

    signature: inspect.Signature
    names: tuple[str, ...]
    context: str | None
    context_position: int | None

    def arguments(
        self, args: list[Any], kwargs: dict[str, Any], context: Context
    ) -> tuple[list[Any], dict[str, Any]]:
        """Put the context where the handler wants it."""
        if self.context is None:
            return args, kwargs
        if self.context_position is not None and self.context_position <= len(args):
            at = self.context_position
            return [*args[:at], context, *args[at:]], kwargs
        return args, {**kwargs, self.context: context}


def where(handler: Any) -> str:
    """Name the file and line of a handler, for an error that a person has to find."""
    code = getattr(inspect.unwrap(handler), "__code__", None)
    if code is None:
        return "no Python function"
    return f"{Path(code.co_filename)}:{code.co_firstlineno}"


def check_handler(handler: Any, name: str | None) -> None:
    """Refuse what can't be a handler, with its file and line."""
    if inspect.isclass(handler) or not inspect.isfunction(handler):
        raise refuse(handler, "is no function", "Register a plain or an async function.")
    if handler.__name__ == "<lambda>":
        raise refuse(handler, "is a lambda", "Write it as a named function.")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise refuse(
            handler, "is a generator function: its body would never run", "Return instead of yielding."
        )
    if name is None and "<locals>" in handler.__qualname__:
        raise refuse(
            handler, "is a nested function without a name of its own", 'Name it: @app.task("orders.charge").'
        )


def read_layout(handler: Callable[..., Any]) -> Layout:
    """Find the context parameter and the positional names."""
    parameters = list(inspect.signature(handler).parameters.values())
    annotations = annotations_of(handler)
    contexts = [p for p in parameters if _is_context(p, annotations.get(p.name, p.annotation))]
    if len(contexts) > 1:
        raise refuse(handler, "names more than one context parameter", "Keep one `ctx: Context`.")
    for parameter in parameters:
        _check_parameter(handler, parameter, is_context=parameter in contexts)
    rest = [p for p in parameters if p not in contexts]
    position = None
    if contexts and contexts[0].kind in POSITIONAL:
        position = parameters.index(contexts[0])
    return Layout(
        signature=inspect.Signature(rest),
        names=tuple(p.name for p in rest if p.kind in POSITIONAL),
        context=contexts[0].name if contexts else None,
        context_position=position,
    )


def check_identity(handler: Callable[..., Any], layout: Layout, identity: Identity) -> None:
    """Refuse an identity that the signature can never provide, so that the two can't drift apart."""
    parameters = layout.signature.parameters.values()
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    any_number = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    names = {p.name for p in parameters}
    for source in (*identity.key_sources, *identity.scope_sources):
        if isinstance(source, Arg):
            known = any_number or source.position < len(layout.names)
        else:
            known = open_ended or source.split(".")[0] in names
        if not known:
            raise refuse(
                handler, f"has no parameter for the identity {source!r}", "Name one of its parameters."
            )


def annotations_of(handler: Callable[..., Any]) -> dict[str, Any]:
    """Resolve the annotations of a handler.

    One that can't be resolved here, since it is imported for type checkers only, is left out.
    """
    try:
        return get_type_hints(handler, include_extras=True)
    except _UNRESOLVED:
        pass
    found: dict[str, Any] = {}
    for name, annotation in inspect.get_annotations(handler).items():
        alone = type("Alone", (), {"__annotations__": {name: annotation}})
        try:
            found |= get_type_hints(alone, globalns=handler.__globals__, include_extras=True)
        except _UNRESOLVED:
            continue
    return found


def refuse(handler: Any, fault: str, cure: str) -> ConfigurationError:
    """Make the error of a bad registration; the caller raises it."""
    name = getattr(handler, "__qualname__", None) or repr(type(handler).__name__)
    return ConfigurationError(f"handler {name} {fault} ({where(handler)})", cure=cure)


def _check_parameter(handler: Callable[..., Any], parameter: inspect.Parameter, *, is_context: bool) -> None:
    if is_context:
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise refuse(handler, "takes its context positional-only", "Drop the `/` after it.")
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise refuse(handler, "takes its context as a star parameter", "Write `ctx: Context`.")
    elif parameter.name == CONTEXT_NAME:
        raise refuse(
            handler,
            "has a parameter `ctx` that is no Context",
            "That name is reserved: write `ctx: Context`.",
        )
    elif parameter.name.startswith(RESERVED_PREFIX):
        raise refuse(
            handler, f"has the parameter {parameter.name!r}", f"{RESERVED_PREFIX}* is reserved; rename it."
        )


def _is_context(parameter: inspect.Parameter, annotation: Any) -> bool:
    if isinstance(annotation, str):  # an annotation whose module can't be imported at run time
        return annotation.rpartition(".")[2] == Context.__name__
    if annotation is inspect.Parameter.empty:
        return parameter.name == CONTEXT_NAME
    return annotation is Context
