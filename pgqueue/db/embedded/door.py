"""The shared server of a user: join it (starting it where needed), keep it, look at it, stop it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pgqueue.db.embedded.binaries import find_binaries
from pgqueue.db.embedded.cluster import Cluster
from pgqueue.db.embedded.lease import holds_lease, launch_reaper, take_lease
from pgqueue.db.embedded.locks import count_holders, start_lock
from pgqueue.db.embedded.places import Home, state_directory
from pgqueue.db.embedded.postmaster import read_postmaster
from pgqueue.errors import ConfigurationError

KEEP_WITH_TCP = "listen"


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """`holders` counts processes with a lease, `clients` open connections, `size_bytes` the data directory.

    `kept`: the server stays when nobody uses it, until it is stopped. `pid`, `socket_dir` and `port` are None
    while it doesn't run, `version` before the first start.
    """

    running: bool
    pid: int | None
    version: str | None
    data_dir: Path
    socket_dir: Path | None
    port: int | None
    listening: bool
    holders: int
    clients: int
    size_bytes: int
    kept: bool


def ensure(
    *,
    database: str = "pgqueue",
    directory: Path | None = None,
    listen: bool = False,
    announce: Callable[[str], None] | None = None,
) -> str:
    """Return a libpq string for the user's shared server, which runs and has the database.

    The process counts as a holder until it ends. A few seconds after the last one has gone the server stops.
    Safe to repeat, to race and after a fork. `announce` gets one line when the server is started or first
    joined; by default it goes to stderr. Raises ConfigurationError when no server can be run here,
    Unavailable when it doesn't start.
    """
    with _named_place(directory):
        return _join(database=database, directory=directory, listen=listen, announce=announce, keep=False)


def start(*, database: str = "pgqueue", directory: Path | None = None, listen: bool = False) -> str:
    """`ensure`, and the server stays until `stop`, also when nobody uses it. Says nothing on stderr."""
    with _named_place(directory):
        return _join(database=database, directory=directory, listen=listen, announce=_silent, keep=True)


def stop(directory: Path | None = None) -> bool:
    """Stop the shared server at once, whoever uses it; false when it didn't run. Its data stays."""
    with _named_place(directory):
        home = _existing_home(directory)
        if not home.path.is_dir():
            return False
        with start_lock(home.start_lock):
            home.keep.unlink(missing_ok=True)
            return Cluster(home.path).stop_locked()


def status(directory: Path | None = None) -> EmbeddedStatus:
    """Look at the shared server without starting or joining it. Makes nothing."""
    with _named_place(directory):
        return _look(_existing_home(directory))


def dsn(*, database: str = "pgqueue", directory: Path | None = None, tcp: bool = False) -> str:
    """`ensure`, with the address 127.0.0.1 where `tcp` is asked for."""
    target = ensure(database=database, directory=directory, listen=tcp, announce=_silent)
    return _cluster(directory, listen=tcp).conninfo(database, tcp=True) if tcp else target


def _join(
    *, database: str, directory: Path | None, listen: bool, announce: Callable[[str], None] | None, keep: bool
) -> str:
    cluster = _cluster(directory, listen=listen)
    home = cluster.home
    with start_lock(home.start_lock):
        cluster.listen = listen = listen or _read(home.keep) == KEEP_WITH_TCP
        if listen:
            _make_way_for_tcp(cluster)
        first = take_lease(home)
        if keep:
            home.keep.write_text(KEEP_WITH_TCP if listen else "", encoding="ascii")
        elif not home.keep.exists():
            # Before the server: from here on it has somebody to stop it, however this process ends.
            launch_reaper(home)
        started = cluster.start_locked()
    cluster.create_database(database)
    target = cluster.conninfo(database)
    if started or first:
        (announce or _to_stderr)(_where(cluster, target, started=started))
    return target


def _look(home: Home) -> EmbeddedStatus:
    server = read_postmaster(home.data)
    running = server is not None and server.ready()
    seen = server if running else None
    return EmbeddedStatus(
        running=running,
        pid=seen.pid if seen else None,
        version=_read(home.version) or _read(home.data / "PG_VERSION") or None,
        data_dir=home.data,
        socket_dir=seen.socket_dir if seen else None,
        port=seen.port if seen else None,
        listening=bool(seen and seen.tcp_host),
        holders=count_holders(home.lease),
        clients=seen.clients() if seen else 0,
        size_bytes=_size(home.data),
        kept=home.keep.exists(),
    )


@contextmanager
def _named_place(directory: Path | None) -> Iterator[None]:
    """Turn what the file system refuses (rights, a full or read-only disk) into an error with a cure."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"the embedded Postgres can't be used in {_base(directory)}: {error}",
            cure="Set PGQUEUE_EMBEDDED_DIR to a directory that you may write to, or set PGQUEUE_DSN.",
        ) from error


def _make_way_for_tcp(cluster: Cluster) -> None:
    """Stop a server that runs without TCP, unless others would be cut off."""
    server = read_postmaster(cluster.home.data)
    if server is None or not server.ready() or server.tcp_host:
        return
    others = count_holders(cluster.home.lease) - holds_lease(cluster.home)
    if others or server.clients():
        raise ConfigurationError(
            f"the embedded Postgres in {cluster.home.path} runs without TCP and is in use",
            cure="Run `pgqueue embedded stop`, then `pgqueue embedded start --listen`.",
        )
    cluster.stop_locked()


def _cluster(directory: Path | None, *, listen: bool) -> Cluster:
    binaries = find_binaries()
    return Cluster(_base(directory) / f"pg{binaries.major}", binaries=binaries, listen=listen)


def _base(directory: Path | None) -> Path:
    return directory.expanduser().absolute() if directory else state_directory()


def _existing_home(directory: Path | None) -> Home:
    """The home to look at: one whose server runs, else that of the programs found, else the newest."""
    base = _base(directory)
    try:
        first = [Home(base / f"pg{find_binaries().major}")]
    except ConfigurationError:
        first = []
    homes = first + _other_homes(base, {home.path for home in first})
    running = (home for home in homes if (server := read_postmaster(home.data)) and server.alive())
    return next(running, homes[0] if homes else Home(base / "pg"))


def _other_homes(base: Path, known: set[Path]) -> list[Home]:
    found = [path for path in base.glob("pg*") if path.name[2:].isdecimal() and path not in known]
    return [Home(path) for path in sorted(found, key=lambda path: int(path.name[2:]), reverse=True)]


def _where(cluster: Cluster, target: str, *, started: bool) -> str:
    verb = "started" if started else "joined"
    version = _read(cluster.home.version) or cluster.binaries.version
    home = cluster.home.path
    line = f"pgqueue: {verb} the embedded Postgres {version} in {home} (psql {shlex.quote(target)})"
    others = _other_homes(home.parent, {home})
    if others:
        line += f"; data of another major version is in {', '.join(str(other.path) for other in others)}"
    return line


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _silent(line: str) -> None:
    del line


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _size(tree: Path) -> int:
    total = 0
    for folder, _, names in os.walk(tree):
        for name in names:
            try:
                total += os.lstat(f"{folder}/{name}").st_size
            except FileNotFoundError:
                continue
    return total
