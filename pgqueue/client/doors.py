"""Which door a client takes."""

from __future__ import annotations

from collections.abc import Mapping

from pgqueue.db.doors import DirectDoor, PooledDoor
from pgqueue.settings import find_direct_dsn, find_dsn


def work_door(dsn: str | None, environ: Mapping[str, str], role: str = "client") -> PooledDoor:
    """Return the door for calls. Raises: ConfigurationError."""
    return PooledDoor(find_dsn(dsn, environ), role)


def direct_door(
    direct_dsn: str | None, dsn: str | None, environ: Mapping[str, str], role: str = "client"
) -> DirectDoor | None:
    """Return the direct door where one is configured; the embedded Postgres is one.

    Raises: ConfigurationError.
    """
    direct = find_direct_dsn(direct_dsn, environ)
    work = find_dsn(dsn, environ)
    if direct is None and work.is_embedded:
        direct = work
    return None if direct is None else DirectDoor(direct, role)


def listening_door(dsn: str | None, environ: Mapping[str, str]) -> DirectDoor:
    """Return the door to listen on: the direct one, else the door for work, which is refused if it is pooled.

    Raises: ConfigurationError.
    """
    return direct_door(None, dsn, environ, "listen") or DirectDoor(find_dsn(dsn, environ), "listen")
