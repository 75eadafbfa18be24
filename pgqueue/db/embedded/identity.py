"""Whom the server runs as: Postgres refuses root, so root hands its programs to another user."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pgqueue.errors import ConfigurationError

SERVICE_USERS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class RunAs:
    """A user for the server's programs. `switch` is true when this process is root and has to step down."""

    uid: int
    gid: int
    name: str
    switch: bool

    def popen_options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess`. The groups of root are dropped as well."""
        options: dict[str, Any] = {"cwd": "/", "stdin": subprocess.DEVNULL, "umask": 0o077}
        if self.switch:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def own(self, path: Path) -> None:
        """Give a file or directory that this process has just made to the user."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def choose_run_as(data_dir: Path) -> RunAs:
    """Return the user for a data directory: this one; for root the owner of the data, `postgres` or `nobody`.

    No user is ever created. The owner goes first: a later install of the system's Postgres makes a user
    `postgres` that could not open a cluster made by `nobody`.
    """
    uid = os.geteuid()
    if uid != 0:
        return _entry(uid, switch=False)
    if data_dir.exists():
        owner = data_dir.stat().st_uid
        if owner == 0:
            raise ConfigurationError(
                f"the data directory {data_dir} belongs to root, as whom Postgres refuses to run",
                cure="Give it to the user postgres (chown -R), or choose another directory.",
            )
        return _entry(owner, switch=True)
    for name in SERVICE_USERS:
        try:
            return _entry(pwd.getpwnam(name).pw_uid, switch=True)
        except KeyError:
            continue
    raise ConfigurationError(
        "Postgres can't run as root, and there is neither a user `postgres` nor a user `nobody`",
        cure="Run pgqueue as a normal user, add one of these users, or set PGQUEUE_DSN.",
    )


def _entry(uid: int, *, switch: bool) -> RunAs:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        raise ConfigurationError(
            f"the user id {uid} has no entry in the password database, which Postgres needs",
            cure="Add an entry (in a container: to /etc/passwd), or set PGQUEUE_DSN to a database that runs.",
        ) from None
    return RunAs(found.pw_uid, found.pw_gid, found.pw_name, switch)


def environment(bin_dir: Path) -> dict[str, str]:
    """All that the server's programs see: no locale and no PG* variable of the caller gets through."""
    return {"PATH": f"{bin_dir}:/usr/bin:/bin", "HOME": "/", "LC_ALL": "C", "TZ": "UTC"}


def run(
    argv: Sequence[str | Path],
    run_as: RunAs,
    *,
    output: IO[bytes] | None = None,
    inherit: Sequence[int] = (),
) -> tuple[int, str]:
    """Run one of the server's programs to its end; return exit code and output.

    With `output` the text goes into that file and an empty string comes back. Never a pipe: a server that the
    program starts would inherit it, and the reader would wait for ever. 127 means "could not be executed".
    `inherit` are the descriptors that the program, and what it starts, keeps open.
    """
    words = [str(word) for word in argv]
    with tempfile.TemporaryFile() as scratch:
        sink = output or scratch
        try:
            done = subprocess.run(
                words,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=environment(Path(words[0]).parent),
                check=False,
                pass_fds=inherit,
                **run_as.popen_options(),
            )
        except OSError as error:
            return 127, str(error)
        scratch.seek(0)
        return done.returncode, scratch.read().decode("utf-8", "replace").strip()
