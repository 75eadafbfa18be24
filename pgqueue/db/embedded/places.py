"""The directories: where a cluster lives, and a directory for its socket whose path is short enough."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pgqueue.db.embedded.identity import RunAs
from pgqueue.errors import ConfigurationError

SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET_NAME = "/.s.PGSQL.65535"
LOG_LIMIT_BYTES = 16 * 1024 * 1024
ROOT_STATE = Path("/var/lib/pgqueue")
PLAIN_PATH = re.compile(r"/[\w./ +=@-]*", re.ASCII)
SHELL_ACTIVE = re.compile(r"[\"$`\\\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one cluster. All in it is ours, except the data and the socket directory."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def half_made(self) -> Path:
        return self.path / "data.tmp"

    @property
    def start_lock(self) -> Path:
        return self.path / "start.lock"

    @property
    def lease(self) -> Path:
        return self.path / "lease"

    @property
    def reaper_lock(self) -> Path:
        return self.path / "reaper.lock"

    @property
    def server_lock(self) -> Path:
        return self.path / "server.lock"

    @property
    def keep(self) -> Path:
        return self.path / "keep"

    @property
    def passfile(self) -> Path:
        return self.path / "pgpass"

    @property
    def version(self) -> Path:
        return self.path / "version"

    @property
    def tcp_port(self) -> Path:
        return self.path / "tcp_port"

    @property
    def log(self) -> Path:
        return self.path / "server.log"


def state_directory(environ: Mapping[str, str] | None = None) -> Path:
    """PGQUEUE_EMBEDDED_DIR, else /var/lib/pgqueue for root, else the XDG state directory of the user."""
    environ = os.environ if environ is None else environ
    override = environ.get("PGQUEUE_EMBEDDED_DIR")
    if override:
        return Path(override).expanduser().absolute()
    if os.geteuid() == 0:
        return ROOT_STATE
    xdg = environ.get("XDG_STATE_HOME", "")
    if Path(xdg).is_absolute():
        return Path(xdg) / "pgqueue"
    home = environ.get("HOME") or _listed_home()
    if not Path(home).is_absolute():
        raise ConfigurationError(
            "you have no home directory, so there is no place for the embedded Postgres",
            cure="Set HOME, XDG_STATE_HOME or PGQUEUE_EMBEDDED_DIR, or set PGQUEUE_DSN.",
        )
    return Path(home) / ".local" / "state" / "pgqueue"


def _listed_home() -> str:
    """The home directory that the password database names, if it is there."""
    try:
        listed = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return ""
    return listed if Path(listed).is_dir() else ""


def prepare_home(path: Path) -> Home:
    """Make the directory where it is missing. What exists keeps its mode; a foreign owner is refused."""
    path = path.expanduser().absolute()
    if SHELL_ACTIVE.search(str(path)):
        raise ConfigurationError(
            f"the path {str(path)!r} holds a quote, a dollar sign, a backslash or a control character",
            cure="Choose another directory for the embedded Postgres.",
        )
    try:
        make_directory(path)
        owner = path.stat().st_uid
    except OSError as error:
        raise ConfigurationError(
            f"no directory for the embedded Postgres: {error}",
            cure="Set PGQUEUE_EMBEDDED_DIR to a directory that you may write to.",
        ) from error
    if owner != os.geteuid():
        raise ConfigurationError(
            f"{path} belongs to the user id {owner}, not to you",
            cure="Set PGQUEUE_EMBEDDED_DIR to a directory of your own.",
        )
    return Home(path.resolve())


def make_directory(path: Path) -> None:
    """`mkdir -p`: what is made is closed to others, but can be passed through where root's server has to."""
    if path.is_dir():
        return
    make_directory(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    if os.geteuid() == 0:
        path.chmod(0o711)


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only this user can read. Durable, and whole at every moment."""
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    scratch.rename(path)


def open_log(home: Home) -> BinaryIO:
    """Open the server's log for appending. It may quote statements, so only this user can read it."""
    if home.log.exists() and home.log.stat().st_size > LOG_LIMIT_BYTES:
        home.log.replace(home.log.with_suffix(".log.1"))
    descriptor = os.open(home.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    return os.fdopen(descriptor, "ab")


def sync_directory(path: Path) -> None:
    """Make a rename in this directory survive a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def socket_directory(home: Home, run_as: RunAs) -> Path:
    """Make and return the 0700 directory of the socket: beside the data, else a shorter path."""
    beside = home.path / "socket"
    path = beside if _fits(beside) else _short_root() / f"pgqueue-{run_as.uid}-{_digest(home.path)}"
    try:
        path.mkdir(mode=0o700)
        run_as.own(path)
    except FileExistsError:
        found = path.lstat()
        # In a directory that everybody may write to, someone else could have been first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != run_as.uid or found.st_mode & 0o077:
            raise ConfigurationError(
                f"the socket directory {path} isn't a private directory of the user {run_as.name}",
                cure="Remove it and try again.",
            ) from None
    return path


def remove_stale_sockets(path: Path) -> None:
    """Clear the socket directory of a dead server: the pid in its lock file may be in use again."""
    for leftover in path.glob(".s.PGSQL.*"):
        leftover.unlink(missing_ok=True)


def _fits(path: Path) -> bool:
    # Commas and quotes split lists in libpq and in the server, hence only plain characters.
    text = str(path)
    short = len(os.fsencode(text)) + len(LONGEST_SOCKET_NAME) <= SOCKET_PATH_LIMIT
    return short and PLAIN_PATH.fullmatch(text) is not None


def _short_root() -> Path:
    runtime = Path("/run") if os.geteuid() == 0 else Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108
    usable = runtime.is_absolute() and _fits(runtime / ("x" * 40)) and os.access(runtime, os.W_OK | os.X_OK)
    return runtime if usable else Path("/tmp")  # noqa: S108


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def scratch_directory(prefix: str = "pgqueue-") -> Path:
    """Make a short temporary directory for a private cluster.

    pytest's `tmp_path` and `tempfile.mkdtemp` are closed to other users, so a server started by root can't
    reach its data there. The caller removes the directory.
    """
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    if os.geteuid() == 0:
        path.chmod(0o711)
    return path
