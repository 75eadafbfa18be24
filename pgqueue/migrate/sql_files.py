"""Find the SQL that ships with this package and read it: migrations in order, functions by folder."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from pgqueue.errors import ConfigurationError

_HEADER = re.compile(r"^-- (why|breaking|transaction): *(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file. `breaking`: workers of an older package can't serve the schema after it."""

    version: int
    name: str
    why: str
    breaking: bool
    sql: str
    checksum: str


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """All SQL of one release. The scripts are whole files, to be run as they stand."""

    migrations: tuple[Migration, ...]
    roles: str
    functions: str
    views: str
    grants: str

    @property
    def checksum(self) -> str:
        """Of everything that is re-applied as a whole."""
        return _checksum(f"{self.roles}\n{self.functions}\n{self.views}\n{self.grants}")


def sql_directory() -> Path:
    """Return the folder of SQL files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_sql", package.parent / "sql"):
        if (candidate / "migrations").is_dir():
            return candidate
    raise ConfigurationError(
        "the SQL files of pgqueue are missing from this installation", cure="Install the package again."
    )


def load(directory: Path | None = None) -> SqlFiles:
    """Read every SQL file, sorted by path. Raises: ConfigurationError for a file that breaks the rules."""
    root = directory or sql_directory()
    function_files = sorted((root / "functions").glob("*/*.sql"))
    return SqlFiles(
        migrations=_migrations(root / "migrations"),
        roles=(root / "roles.sql").read_text(),
        functions="\n".join(path.read_text() for path in function_files),
        views="\n".join(path.read_text() for path in sorted((root / "views").glob("*.sql"))),
        grants=(root / "grants.sql").read_text(),
    )


def _migrations(directory: Path) -> tuple[Migration, ...]:
    found = tuple(_migration(path) for path in sorted(directory.glob("*.sql")))
    for earlier, later in itertools.pairwise(found):
        if earlier.version >= later.version:
            raise ConfigurationError(
                f"two migrations have the number {later.version:04}",
                cure="Give the newer one the next number.",
            )
    return found


def _migration(path: Path) -> Migration:
    sql = path.read_text()
    header = dict(_HEADER.findall(sql))
    number, _, name = path.stem.partition("_")
    if (
        not number.isdigit()
        or not header.get("why")
        or header.get("transaction") != "yes"
        or header.get("breaking") not in {"yes", "no"}
    ):
        raise ConfigurationError(
            f"migration {path.name} lacks its number or its header",
            cure="Name it NNNN_verb_phrase.sql and begin it with -- why:, -- breaking: yes|no, -- transaction: yes.",
        )
    return Migration(int(number), name, header["why"], header["breaking"] == "yes", sql, _checksum(sql))


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
