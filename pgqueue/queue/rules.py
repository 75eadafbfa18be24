"""Limits of queue names and queue settings, the same as in SQL, so that a bad one costs no round trip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from pgqueue.errors import InvalidInput

MAX_NAME_BYTES = 47
_NAME = re.compile(r"[a-z][a-z0-9_]{0,46}")
_SPELLABLE = re.compile(r"[a-z][a-z0-9_]*")

# name: (type, least, most); durations are seconds
_NUMBERS: dict[str, tuple[type[int | float], float, float]] = {
    "vt": (float, 0.1, 86_400),
    "health_stale": (float, 0.1, 604_800),
    "max_reads": (int, 1, 1_000_000),
    "repark_seconds": (float, 1, 86_400),
    "repark_budget": (int, 0, 1_000),
    "unknown_grace": (float, 0, 604_800),
    "batch": (int, 1, 1_000),
    "retention": (float, 0, 3_153_600_000),
    "dead_retention": (float, 0, 3_153_600_000),
    "payload_limit": (int, 1, 268_435_456),
    "key_window": (float, 60, 31_536_000),
    "rate_limit": (float, 0, 1_000_000),
    "rate_burst": (int, 0, 1_000_000),
    "max_in_flight": (int, 0, 10_000),
    "max_in_flight_per_key": (int, 0, 1_000),
}
_WORDS = {"durability": ("safe",), "ack_commit": ("async", "sync")}
_BACKOFF: dict[str, tuple[float, float]] = {
    "base": (0.001, 86_400),
    "factor": (1, 100),
    "cap": (0.001, 31_536_000),
    "jitter": (0, 1),
}
SETTING_NAMES = (*_NUMBERS, *_WORDS, "archive", "backoff")
KINDS = ("row", "log")
SLOWEST_RATE = 0.001  # one message in 17 minutes; 0 is no limit
LONGEST_WHY = 1_000
LONGEST_PAUSE = 31_536_000


def check_name(name: object) -> str:
    """Return the queue name if it keeps the rule `^[a-z][a-z0-9_]{0,46}$`.

    Raises: InvalidInput naming what breaks it.
    """
    if isinstance(name, str) and _NAME.fullmatch(name) and name != "template_queue":
        return name
    if name is None:
        raise InvalidInput("queue name is required", cure="Pass a name such as orders.")
    if not isinstance(name, str):
        problem = f"queue name must be a str, not {type(name).__name__}"
        raise InvalidInput(problem, cure="Pass a name such as orders.")
    if not name:
        raise InvalidInput("queue name is empty", cure="Pass a name such as orders.")
    if (size := len(name.encode(errors="surrogatepass"))) > MAX_NAME_BYTES:
        problem = f"queue name is too long: {size} bytes, at most {MAX_NAME_BYTES}"
        raise InvalidInput(problem, cure="Choose a shorter name.", queue=name[:80])
    if name == "template_queue":
        raise InvalidInput('queue name "template_queue" is reserved', cure="Choose another name.")
    raise InvalidInput(
        f"queue name {name!a} breaks the rule ^[a-z][a-z0-9_]{{0,46}}$"
        + "".join(f" (first bad character: U+{ord(bad):04X})" for bad in re.findall(r"[^a-z0-9_]", name)[:1]),
        cure=f"Use {name.lower()!a}."
        if _SPELLABLE.fullmatch(name.lower())
        else "Start with a letter a-z; then letters a-z, digits and underscores.",
        queue=name,
    )


def check_kind(kind: str | None) -> str | None:
    """Return the storage kind; None leaves the choice to the database."""
    if kind is not None and kind not in KINDS:
        raise InvalidInput(f"kind can't be {kind!a}", cure=f"Pass one of: {', '.join(KINDS)}.")
    return kind


def check_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Return settings as JSON values, durations in seconds; timedelta is taken for durations.

    Raises: InvalidInput naming the first bad setting. Settings that depend on others (health_stale over vt)
    are only compared where both are given; the database compares the effective ones.
    """
    checked = {name: _check_setting(name, value) for name, value in settings.items()}
    vt, stale = checked.get("vt"), checked.get("health_stale")
    if isinstance(vt, (int, float)) and isinstance(stale, (int, float)) and stale <= vt:
        raise InvalidInput(
            f"health_stale ({stale} s) must be over vt ({vt} s)",
            cure="30/60, 180/240, 600/660 and 3660/3720 are good pairs.",
            setting="health_stale",
        )
    rate = checked.get("rate_limit")
    if isinstance(rate, (int, float)) and 0 < rate < SLOWEST_RATE:
        raise _bad(
            "rate_limit",
            rate,
            f"0 for no limit, or messages a second from {SLOWEST_RATE} on; pause_queue stops all",
        )
    return checked


def check_why(why: object) -> str:
    """Return the reason of a pause: some text, cut rather than refused. Raises: InvalidInput."""
    if not isinstance(why, str) or not why.strip():
        raise InvalidInput("why the queue is paused is empty", cure="Say it in a few words: others will ask.")
    return why[:LONGEST_WHY]


def check_until(until: datetime | timedelta | None) -> datetime | float | None:
    """Return when a pause ends: an instant with its zone, or seconds from now. Raises: InvalidInput."""
    if until is None:
        return None
    if isinstance(until, timedelta) and 0 < until.total_seconds() <= LONGEST_PAUSE:
        return until.total_seconds()
    if isinstance(until, datetime) and until.tzinfo is not None:
        return until
    raise InvalidInput(
        f"a pause can't last {until.total_seconds()} s"
        if isinstance(until, timedelta)
        else f"a pause can't end at {until!a}",
        cure=f"Pass a datetime with a time zone, or a timedelta over 0, at most {LONGEST_PAUSE} s.",
    )


def _check_setting(name: str, value: object) -> object:
    if name in _NUMBERS:
        kind, least, most = _NUMBERS[name]
        return _check_number(name, value, kind, least, most)
    if name in _WORDS:
        if value not in _WORDS[name]:
            raise _bad(name, value, " or ".join(f'"{word}"' for word in _WORDS[name]))
        return value
    if name == "archive":
        if not isinstance(value, bool):
            raise _bad(name, value, "true or false")
        return value
    if name == "backoff":
        return _check_backoff(value)
    raise InvalidInput(
        f"unknown setting {name!a}", cure=f"Settings: {', '.join(sorted(SETTING_NAMES))}.", setting=name
    )


def _check_number(name: str, value: object, kind: type[int | float], least: float, most: float) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not least <= value <= most
        or (kind is int and not whole)
    ):
        raise _bad(name, value, f"{'a whole number' if kind is int else 'a number'} {least:g} .. {most:g}")
    return int(value) if kind is int else value


def _check_backoff(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping) or set(value) != set(_BACKOFF):
        raise _bad("backoff", value, '{"base": 1, "factor": 2, "cap": 3600, "jitter": 0.2}, for one')
    return {
        name: _check_number(f"backoff.{name}", value[name], float, least, most)
        for name, (least, most) in _BACKOFF.items()
    }


def _bad(name: str, value: object, allowed: str) -> InvalidInput:
    shown = f"{value!a}"
    return InvalidInput(f"setting {name} can't be {shown[:80]}", cure=f"Pass {allowed}.", setting=name)
