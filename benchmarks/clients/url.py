"""A DSN as drivers understand it that don't know libpq's."""

from __future__ import annotations

from urllib.parse import quote

import psycopg


def url_of(dsn: str) -> str:
    """Return the DSN as a URL, with the password that libpq finds for it; for a server reached by TCP."""
    with psycopg.connect(dsn) as connection:
        info = connection.info
        login = f"{quote(info.user, safe='')}:{quote(info.password, safe='')}"
        return f"postgresql://{login}@{info.host}:{info.port}/{quote(info.dbname, safe='')}"
