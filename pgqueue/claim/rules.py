"""Limits of a claim's arguments, and how long a tombstone must stand. Pure."""

from __future__ import annotations

from datetime import timedelta

from pgqueue.errors import ConfigurationError, InvalidInput
from pgqueue.message.rules import Seconds, check_key
from pgqueue.queue.model import QueueSettings

MIN_LEASE, MAX_LEASE = 1.0, 86_400.0
MIN_RETENTION, MAX_RETENTION = 1.0, 3_162_240_000.0


def check_names(name: str, key: str) -> tuple[str, str]:
    """Return name and key of a claim, 1 .. 255 bytes each."""
    for what, value in (("name", name), ("key", key)):
        if check_key(what, value) is None:
            raise InvalidInput(f"{what} is None", argument=what)
    return name, key


def check_lease(lease: Seconds) -> float:
    """Return a lease in seconds, 1 s .. 24 h."""
    return _seconds("lease", lease, MIN_LEASE, MAX_LEASE)


def check_retention(retention: Seconds) -> float:
    """Return how long a tombstone stands in seconds, 1 s .. 36,600 days."""
    return _seconds("retention", retention, MIN_RETENTION, MAX_RETENTION)


def longest_redelivery(settings: QueueSettings) -> float:
    """Return the seconds after which no message of a queue comes back any more, releases and redrives left out.

    Each of its reads may last until its lease has lapsed after health_stale, then wait for the longest backoff or be
    parked.
    """
    reads = settings.max_reads + settings.repark_budget
    pause = max(settings.backoff.cap, settings.repark_seconds)
    return reads * (settings.health_stale + settings.vt + pause) + settings.unknown_grace


def check_outlasts(retention: Seconds, settings: QueueSettings) -> float:
    """Return the retention when a tombstone outlasts every redelivery of the message that starts the work.

    Raises: ConfigurationError.
    """
    seconds, longest = check_retention(retention), longest_redelivery(settings)
    if seconds <= longest:
        raise ConfigurationError(
            f"the tombstone goes after {seconds:g} s, but a message can come back for {longest:g} s",
            cure="Raise the retention, or lower max_reads, repark_budget or the backoff's cap of the queue.",
        )
    return seconds


def _seconds(name: str, value: object, least: float, most: float) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        problem = f"{name} must be seconds or a timedelta, not {type(value).__name__}"
        raise InvalidInput(problem, argument=name)
    if not least <= seconds <= most:  # false for NaN too
        raise InvalidInput(
            f"{name} can't be {seconds} s, allowed are {least:g} .. {most:.10g} s", argument=name
        )
    return float(seconds)
