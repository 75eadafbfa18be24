"""The birth of a cluster: initdb into a scratch directory, renamed when it is whole."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from pgqueue.db.embedded.binaries import Binaries
from pgqueue.db.embedded.identity import RunAs, run
from pgqueue.db.embedded.places import Home, sync_directory, write_private
from pgqueue.errors import ConfigurationError, Unavailable

ROLE = "pgqueue"
BUILTIN_LOCALE_MAJOR = 17


def create_data(home: Home, binaries: Binaries, run_as: RunAs, *, durable: bool) -> None:
    """Make `home.data`. Call it under the start lock. What a killed run left half-made is thrown away.

    With `durable` false the new files aren't flushed, for clusters that run without fsync.
    """
    shutil.rmtree(home.half_made, ignore_errors=True)
    home.half_made.mkdir(mode=0o700)
    run_as.own(home.half_made)
    _check_passage(home.half_made, run_as)
    password = secrets.token_urlsafe(24)
    handover = home.path / "initdb.pwfile"
    write_private(handover, password + "\n")
    run_as.own(handover)
    try:
        code, output = run(_initdb(home, binaries, handover, durable=durable), run_as)
    finally:
        handover.unlink()
    if code:
        raise Unavailable(
            f"initdb failed as {run_as.name}: {output[-1500:]}",
            cure="Correct what it names, or set PGQUEUE_DSN to a database that runs.",
        )
    write_private(home.passfile, f"*:*:*:{ROLE}:{password}\n")
    home.half_made.rename(home.data)
    sync_directory(home.path)


def check_major(home: Home, binaries: Binaries) -> None:
    """Raise ConfigurationError when these programs can't open the existing data."""
    found = (home.data / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != str(binaries.major):
        raise ConfigurationError(
            f"the data in {home.data} was made by Postgres {found}, the programs are {binaries.version}",
            cure=f"Point PGQUEUE_PG_BIN to Postgres {found}, or move the data with pg_upgrade or pg_dump.",
        )


def read_password(home: Home) -> str:
    """The password of the role `pgqueue`. Raises ConfigurationError when the file is gone."""
    try:
        return home.passfile.read_text(encoding="utf-8").strip().rpartition(":")[2]
    except FileNotFoundError:
        raise ConfigurationError(
            f"the password file {home.passfile} is missing",
            cure=f"Bring it back from a backup, or remove {home.path} together with its data.",
        ) from None


def _initdb(home: Home, binaries: Binaries, handover: Path, *, durable: bool) -> list[str | Path]:
    locale = ["--locale=C.UTF-8"]
    if binaries.major >= BUILTIN_LOCALE_MAJOR:
        # The same order of strings on every system, and no need for any locale to be installed.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    argv: list[str | Path] = [binaries.tool("initdb"), "-D", home.half_made, *locale]
    argv += [f"--username={ROLE}", "--encoding=UTF8", "--auth=scram-sha-256", f"--pwfile={handover}"]
    argv += ["--data-checksums", "--no-instructions"]
    return argv if durable else [*argv, "--no-sync"]


def _check_passage(path: Path, run_as: RunAs) -> None:
    if not run_as.switch or run(["/usr/bin/test", "-x", path], run_as)[0] == 0:
        return
    closed = next((each for each in reversed(path.parents) if not _passable(each, run_as)), path)
    path.rmdir()
    raise ConfigurationError(
        f"Postgres runs as the user {run_as.name}, who can't pass through {closed}",
        cure="Set PGQUEUE_EMBEDDED_DIR to a directory that this user can reach; nothing is opened up for it.",
    )


def _passable(path: Path, run_as: RunAs) -> bool:
    return run(["/usr/bin/test", "-x", os.fspath(path)], run_as)[0] == 0
