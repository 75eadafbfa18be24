"""The running server, seen from outside: its pid file, its process, its clients. Runs no program."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
DEAD_PID = 2147483646
POLL_SECONDS = 0.01
ESTABLISHED_UNIX = "03"
ESTABLISHED_TCP = "01"


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What `postmaster.pid` says. `state`: empty, starting, ready, standby or stopping; `port` 0: unknown."""

    pid: int
    data_dir: Path
    port: int
    socket_dir: Path | None
    tcp_host: str
    state: str

    @property
    def socket(self) -> Path | None:
        return self.socket_dir / f".s.PGSQL.{self.port}" if self.socket_dir else None

    def alive(self) -> bool:
        """Whether this very server lives. A zombie is dead, and so is a pid that something else has now."""
        if not _exists(self.pid):
            return False
        if not (PROC / "self").exists():
            return True
        return _is_postmaster_of(self.pid, self.data_dir)

    def ready(self) -> bool:
        return self.state in {"ready", "standby"} and self.alive()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the server still lives."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait_dead(self, seconds: float) -> bool:
        """Wait until the server is gone; false when it still lives after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def clients(self) -> int:
        """How many connections are open, whoever holds them. Counted on Linux only; elsewhere 0."""
        return _unix_clients(self.socket) + (_tcp_clients(self.port) if self.tcp_host else 0)


def read_postmaster(data_dir: Path) -> Postmaster | None:
    """Return what the pid file says, or None when there is none or it is cut short. It may be stale."""
    path = data_dir / "postmaster.pid"
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        pid = abs(int(lines[0]))
    except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
        return None
    lines += [""] * (8 - len(lines))
    port = int(lines[3]) if lines[3].strip().isdecimal() else 0
    socket_dir = Path(lines[4]) if lines[4].strip() else None
    return Postmaster(pid, data_dir, port, socket_dir, lines[5].strip(), lines[7].strip())


def defuse_stale_pid(data_dir: Path) -> None:
    """Let a start pass a pid file whose pid lives, but isn't this server: a zombie, or a number used again.

    Only the pid is replaced, by one that can't exist. The rest stays, since Postgres reads there which shared
    memory to check for survivors of the dead server.
    """
    stale = read_postmaster(data_dir)
    if stale is None or not _exists(stale.pid) or stale.alive():
        return
    path = data_dir / "postmaster.pid"
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "r+b") as file:
        rest = file.read().split(b"\n", 1)[1:]
        file.seek(0)
        file.truncate()
        file.write(b"\n".join([str(DEAD_PID).encode(), *rest]))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _is_postmaster_of(pid: int, data_dir: Path) -> bool:
    process = PROC / str(pid)
    try:
        # The name stands in parentheses and may hold some itself; the state comes after the last one.
        state = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
        words = (process / "cmdline").read_bytes().split(b"\0")
    except (OSError, IndexError):
        return False
    if state in {"Z", "X"}:
        return False
    if os.fsencode(data_dir) in words:
        return True
    try:
        # Started by hand with a relative path. Not readable where root lacks CAP_SYS_PTRACE, hence second.
        return words[0].endswith(b"postgres") and (process / "cwd").samefile(data_dir)
    except OSError:
        return False


def _unix_clients(socket: Path | None) -> int:
    if socket is None:
        return 0
    # Columns: address, references, protocol, flags, type, state, inode, path.
    rows = (line.split(maxsplit=7) for line in _lines(PROC / "net" / "unix"))
    return sum(1 for row in rows if row[5] == ESTABLISHED_UNIX and row[7:] == [str(socket)])


def _tcp_clients(port: int) -> int:
    # Columns: number, local address, remote address, state.
    rows = (line.split() for line in _lines(PROC / "net" / "tcp"))
    return sum(1 for row in rows if row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED_TCP)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
