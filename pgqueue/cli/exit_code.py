"""Exit codes of the command line."""

from __future__ import annotations

from pgqueue.errors import ConfigurationError, InvalidInput, PgQueueError, SchemaMismatch, Unavailable

OK = 0
FAILED = 1
USAGE = 2
CONFIGURATION = 3
UNREACHABLE = 4
SCHEMA = 5
PARTIAL = 6
CRASHING = 7
INTERRUPTED = 130
TERMINATED = 143

_BY_ERROR: tuple[tuple[type[PgQueueError], int], ...] = (
    (InvalidInput, USAGE),
    (ConfigurationError, CONFIGURATION),
    (Unavailable, UNREACHABLE),
    (SchemaMismatch, SCHEMA),
)


def exit_code_of(error: PgQueueError) -> int:
    """Return the exit code that tells scripts which kind of error it was."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FAILED)
