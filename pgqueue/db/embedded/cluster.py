"""One data directory and its server: make, start, stop. Sharing and leases are the door's business."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from pgqueue.db.embedded.binaries import Binaries, at_directory, find_binaries
from pgqueue.db.embedded.connect import conninfo, create_database
from pgqueue.db.embedded.creation import ROLE, check_major, create_data, read_password
from pgqueue.db.embedded.identity import RunAs, choose_run_as, run
from pgqueue.db.embedded.locks import open_lock, start_lock, try_exclusive
from pgqueue.db.embedded.places import Home, open_log, prepare_home, remove_stale_sockets, socket_directory
from pgqueue.db.embedded.postmaster import Postmaster, defuse_stale_pid, read_postmaster
from pgqueue.db.embedded.reachable import reachable
from pgqueue.errors import ConfigurationError, Unavailable

SOCKET_PORT = 5432
START_SECONDS = 60
STOP_SECONDS = 60.0
SURVIVORS_SECONDS = 10.0
POLL_SECONDS = 0.02
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class Cluster:
    """A Postgres of one's own in `directory`. Start and stop are safe to repeat, from many processes too.

    `directory` is made where missing and has to be reachable for the user that the server runs as; under
    root `scratch_directory()` makes one that is. `binaries` is a directory of server programs, by default the
    first that `find_binaries` sees. `options` are server settings, for example {"fsync": "off"}. `listen`
    opens 127.0.0.1 beside the socket. Nobody stops the server but you: it outlives the process.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        binaries: Path | str | Binaries | None = None,
        options: Mapping[str, str] | None = None,
        listen: bool = False,
    ) -> None:
        self.home: Home = prepare_home(Path(directory))
        self.options = dict(options or {})
        self.listen = listen
        self._given = binaries

    @cached_property
    def binaries(self) -> Binaries:
        """The programs, as found. The server may run from a copy of them."""
        if isinstance(self._given, Binaries):
            return self._given
        return find_binaries() if self._given is None else at_directory(Path(self._given))

    @property
    def bin_dir(self) -> Path:
        """Directory of postgres, psql, pgbench and the other programs."""
        return self.binaries.bin_dir

    @property
    def password(self) -> str:
        """Password of the superuser `pgqueue`, for tools that don't read `home.passfile` (PgBouncer)."""
        return read_password(self.home)

    @property
    def port(self) -> int:
        """Port of the running server, on the socket and on 127.0.0.1."""
        return self.postmaster().port

    @property
    def socket_dir(self) -> Path:
        found = self.postmaster().socket_dir
        if found is None:
            raise self._not_running()
        return found

    def postmaster(self) -> Postmaster:
        """The running server. Raises Unavailable when there is none."""
        found = read_postmaster(self.home.data)
        if found is None or not found.ready():
            raise self._not_running()
        return found

    def running(self) -> bool:
        """Whether the server lives and takes connections."""
        found = read_postmaster(self.home.data)
        return found is not None and found.ready()

    def conninfo(self, database: str = "postgres", *, tcp: bool = False) -> str:
        """A libpq string without the password, which libpq reads from a 0600 file that the string names."""
        server = self.postmaster()
        if tcp and not server.tcp_host:
            raise ConfigurationError("the server has no TCP port", cure="Stop it and start it with listen.")
        host = "127.0.0.1" if tcp else str(self.socket_dir)
        parts: dict[str, str | int] = {"host": host, "port": server.port, "dbname": database, "user": ROLE}
        # An empty password makes libpq pass over PGPASSWORD, which is meant for another server, to the file.
        if os.environ.get("PGPASSWORD"):
            parts["password"] = ""
        return conninfo(**parts, passfile=str(self.home.passfile))

    def create_database(self, name: str) -> bool:
        """Create a database where it is missing; false when it was there."""
        return create_database(self.conninfo(), name)

    def start(self) -> bool:
        """Make the data where missing and start the server; false when it ran already.

        Returns when it takes connections. Raises Unavailable when it doesn't within a minute.
        """
        with start_lock(self.home.start_lock):
            return self.start_locked()

    def stop(self, mode: str = "fast") -> bool:
        """Stop the server; false when it didn't run.

        `fast` ends its sessions, `smart` waits for them, `immediate` leaves crash recovery to the next start.
        """
        with start_lock(self.home.start_lock):
            return self.stop_locked(mode)

    def kill(self) -> None:
        """SIGKILL the postmaster and wait until it is gone. Its children end on their own."""
        found = read_postmaster(self.home.data)
        if found is not None:
            found.signal(signal.SIGKILL)
            found.wait_dead(STOP_SECONDS)

    def start_locked(self) -> bool:
        """`start` for a caller that holds the start lock."""
        found = read_postmaster(self.home.data)
        if found is not None and found.alive():
            if _wait_ready(found):
                return False
            raise self._failed("the server that runs there doesn't become ready")
        run_as = choose_run_as(self.home.data)
        binaries = reachable(self.binaries, run_as)
        if self.home.data.exists():
            check_major(self.home, binaries)
            read_password(self.home)
        else:
            create_data(self.home, binaries, run_as, durable=self.options.get("fsync", "on") != "off")
        self._launch(binaries, run_as)
        self.home.version.write_text(binaries.version + "\n", encoding="ascii")
        return True

    def stop_locked(self, mode: str = "fast") -> bool:
        """`stop` for a caller that holds the start lock."""
        found = read_postmaster(self.home.data)
        if found is None or not found.alive():
            return False
        found.signal(STOP_SIGNALS[mode])
        if not found.wait_dead(STOP_SECONDS):
            raise Unavailable(
                f"the server with pid {found.pid} didn't stop within {STOP_SECONDS:g} s",
                cure="Close its sessions and try again, or stop it with the mode `immediate`.",
            )
        if found.socket_dir is not None:
            with suppress(OSError):
                found.socket_dir.rmdir()
        return True

    def _launch(self, binaries: Binaries, run_as: RunAs) -> None:
        sockets = socket_directory(self.home, run_as)
        settings = self._settings(sockets)
        words = shlex.join([word for name, value in settings.items() for word in ("-c", f"{name}={value}")])
        argv: list[str | Path] = [binaries.tool("pg_ctl"), "start", "-w", "-t", str(START_SECONDS)]
        argv += ["-D", self.home.data, "-o", words]
        with self._server_lock() as held, open_log(self.home) as log:
            defuse_stale_pid(self.home.data)
            remove_stale_sockets(sockets)
            begin = log.tell()
            code, trouble = run(argv, run_as, output=log, inherit=[held])
        if code:
            raise self._failed(trouble or _tail(self.home.log, begin))

    @contextmanager
    def _server_lock(self) -> Iterator[int]:
        """Hold the lock that the server's processes inherit: whoever gets it knows that none of them lives.

        A killed postmaster leaves children for a moment. A server in another container has a pid that says
        nothing here, and two on the same files would destroy them.
        """
        descriptor = open_lock(self.home.server_lock)
        try:
            deadline = time.monotonic() + SURVIVORS_SECONDS
            while not try_exclusive(descriptor):
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"a server that can't be seen from here uses {self.home.data}",
                        cure="Stop it where it runs (another container?), or use another directory.",
                    )
                time.sleep(POLL_SECONDS)
            yield descriptor
        finally:
            os.close(descriptor)

    def _settings(self, sockets: Path) -> dict[str, str]:
        return {
            "listen_addresses": "127.0.0.1" if self.listen else "",
            "port": str(self._tcp_port() if self.listen else SOCKET_PORT),
            "unix_socket_directories": str(sockets),
            "log_line_prefix": "%m [%p] ",
            **self.options,
        }

    def _tcp_port(self) -> int:
        """The port of the last run while it is free, for a pooler's settings to stay good; else a new one."""
        try:
            wanted = int(self.home.tcp_port.read_text(encoding="ascii"))
        except (OSError, ValueError):
            wanted = 0
        port = _free_port(wanted) or _free_port(0)
        self.home.tcp_port.write_text(f"{port}\n", encoding="ascii")
        return port

    def _not_running(self) -> Unavailable:
        return Unavailable(f"no embedded Postgres runs in {self.home.path}", cure="Start it first.")

    def _failed(self, said: str) -> Unavailable:
        return Unavailable(
            f"the embedded Postgres in {self.home.path} didn't start: {said[-1500:]}",
            cure=f"See {self.home.log}; after a crash of a big database, try again in a minute.",
        )


def _wait_ready(found: Postmaster | None) -> bool:
    """Wait for a server that somebody else starts; false when it dies or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while found is not None and found.alive() and time.monotonic() < deadline:
        if found.ready():
            return True
        time.sleep(POLL_SECONDS)
        found = read_postmaster(found.data_dir)
    return False


def _free_port(wanted: int) -> int:
    """Return the port if 127.0.0.1 has it free (0: any), else 0."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
        return int(probe.getsockname()[1])


def _tail(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode("utf-8", "replace").strip()
