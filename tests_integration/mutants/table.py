"""Every guard of the log, by its number in docs/storage.md."""

from __future__ import annotations

from tests_integration.mutants import acks, claims, cursor, gaps, hints, horizon, rotation

GUARDS = tuple(
    sorted(
        (
            *horizon.GUARDS,
            *cursor.GUARDS,
            *claims.GUARDS,
            *gaps.GUARDS,
            *acks.GUARDS,
            *hints.GUARDS,
            *rotation.GUARDS,
        ),
        key=lambda guard: guard.name,
    )
)
CASES = tuple((guard, planted) for guard in GUARDS for planted in guard.mutants)
