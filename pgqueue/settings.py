"""Where the database is, and settings from the environment.

Nothing here knows a driver: the conninfo itself is checked by `pgqueue.db`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import parse_qsl, urlencode

from pgqueue.errors import ConfigurationError

EMBEDDED = "embedded"
DSN_VARIABLES = ("PGQUEUE_DSN", "DATABASE_URL")
DIRECT_DSN_VARIABLE = "PGQUEUE_DIRECT_DSN"
# One of these says that somebody means a particular server; PGUSER and PGPASSWORD alone don't.
LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE")

_PREFIX = "PGQUEUE_"
_SCHEMES = ("postgresql", "postgres")
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@?]*):.*@", re.DOTALL)
_NAMED_PASSWORD = re.compile(r"\b((?:ssl)?password\s*=\s*)('(?:\\.|[^'\\])*'?|[^\s&]+)", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Dsn:
    """A libpq connection string and where it came from. It may hold a password: show `display` only.

    `conninfo` is empty when libpq's own variables decide, or when `source` is "embedded". `pooler` is true
    when the DSN said `pgbouncer=true`.
    """

    conninfo: str
    source: str
    pooler: bool = False

    @property
    def display(self) -> str:
        return mask(self.conninfo) or self.source

    @property
    def is_embedded(self) -> bool:
        return self.source == EMBEDDED

    def __repr__(self) -> str:
        return f"Dsn({self.display!r}, source={self.source!r})"


def find_dsn(explicit: str | None, environ: Mapping[str, str]) -> Dsn:
    """Find the DSN: explicit, PGQUEUE_DSN, DATABASE_URL, libpq's PG* variables, else the embedded Postgres.

    Blank values count as not set. Raises: ConfigurationError for something that can't be a Postgres DSN.
    """
    if explicit is not None and explicit.strip():
        return read_dsn(explicit, "--dsn")
    for name in DSN_VARIABLES:
        if value := environ.get(name, "").strip():
            return read_dsn(value, name)
    if any(environ.get(name, "").strip() for name in LIBPQ_VARIABLES):
        return Dsn("", "PG* variables")
    return Dsn("", EMBEDDED)


def find_direct_dsn(explicit: str | None, environ: Mapping[str, str]) -> Dsn | None:
    """Find the DSN of the direct door (explicit, PGQUEUE_DIRECT_DSN), if there is one."""
    value = explicit or environ.get(DIRECT_DSN_VARIABLE, "")
    if not value.strip():
        return None
    dsn = read_dsn(value, "--direct-dsn" if explicit else DIRECT_DSN_VARIABLE)
    if dsn.pooler:
        problem = f"the direct DSN from {dsn.source} says pgbouncer=true"
        raise ConfigurationError(problem, cure="Give the address of Postgres itself.")
    return dsn


def read_dsn(text: str, source: str) -> Dsn:
    """Read a URL or a `key=value` string: SQLAlchemy's `+driver` goes, `pgbouncer=true` is understood."""
    text = text.strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _refused(source, "it holds bytes that are not UTF-8")
    scheme, colon, rest = text.partition("://")
    if not colon or "=" in scheme:
        if "=" not in text:
            raise _refused(source, "it is neither a URL nor key=value pairs")
        return Dsn(text, source)
    if scheme.partition("+")[0].lower() not in _SCHEMES:
        raise _refused(source, f"its scheme is {scheme!a}")
    base, question, query = rest.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    pooler = any(name == "pgbouncer" and value.lower() in _TRUE for name, value in pairs)
    kept = [(name, value) for name, value in pairs if name != "pgbouncer"]
    if len(kept) != len(pairs):
        query = urlencode(kept)
    return Dsn(f"postgresql://{base}" + (f"?{query}" if question and query else ""), source, pooler)


def mask(text: str) -> str:
    """Replace every password in a DSN, or in a text that quotes one."""
    return _NAMED_PASSWORD.sub(r"\1***", _URL_PASSWORD.sub(r"\1:***@", text))


def read_number(environ: Mapping[str, str], name: str, default: float, *, least: float, most: float) -> float:
    """Read a number from the environment; blank means the default.

    Raises: ConfigurationError naming the variable.
    """
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        cure = "Give a plain number; durations are seconds."
        raise ConfigurationError(f"{name} can't be {text!a}", cure=cure, setting=name) from None
    if not least <= value <= most:
        cure = f"Give a number {least:g} .. {most:g}."
        raise ConfigurationError(f"{name} can't be {text!a}", cure=cure, setting=name)
    return value


def read_flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Read true/false (also yes/no, on/off, 1/0) from the environment; blank means the default."""
    text = environ.get(name, "").strip().lower()
    if not text:
        return default
    if text not in _TRUE | _FALSE:
        raise ConfigurationError(f"{name} can't be {text!a}", cure="Give true or false.", setting=name)
    return text in _TRUE


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> dict[str, str | None]:
    """Return the PGQUEUE_* variables that nobody reads, each with the nearest known name."""
    names = {*known, *DSN_VARIABLES, DIRECT_DSN_VARIABLE}
    # Compared without the prefix, which would make every name near to every other.
    ends = {name.removeprefix(_PREFIX): name for name in names if name.startswith(_PREFIX)}
    unread = sorted(name for name in environ if name.startswith(_PREFIX) and name not in names)
    nearest = {name: get_close_matches(name.removeprefix(_PREFIX), ends, n=1) for name in unread}
    return {name: ends[found[0]] if found else None for name, found in nearest.items()}


def _refused(source: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the DSN from {source} can't be used: {reason}",
        cure="Give postgresql://user:password@host:5432/database or host=... dbname=... .",
        setting=source,
    )
