"""A PgBouncer in transaction mode in front of a server of ours."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.server import Server

START_SECONDS = 10.0
SETTINGS = {
    "pool_mode": "transaction",
    "default_pool_size": "20",
    "auth_type": "scram-sha-256",
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "log_connections": "0",
    "log_disconnections": "0",
}


def missing() -> str:
    """Return why there can be no PgBouncer, with the cure; an empty string when there can."""
    if _binary() is None:
        return "PgBouncer is not installed. On Debian and Ubuntu, as root: apt-get install pgbouncer"
    return ""


@contextmanager
def bouncer(server: Server) -> Iterator[str]:
    """Run one and yield the DSN that leads through it."""
    binary, parts = _binary(), conninfo_to_dict(server.conninfo)
    if binary is None:
        raise SystemExit(missing())
    folder = Path(tempfile.mkdtemp(prefix="pgq-bouncer-"))
    port = free_port()
    users = folder / "users.txt"
    users.write_text(f'"{parts["user"]}" "{server.password}"\n')
    lines = ["[databases]", f"* = host={parts['host']} port={parts['port']}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in SETTINGS.items()]
    lines += [f"listen_port = {port}", f"auth_file = {users}"]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    with (folder / "log").open("wb") as log:
        argv = [binary, str(folder / "pgbouncer.ini")]
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/", **_not_as_root(folder))
    dsn = make_conninfo(
        host="127.0.0.1", port=port, dbname=parts["dbname"], user=parts["user"], password=server.password
    )
    try:
        _wait(dsn, process)
        yield dsn
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _binary() -> str | None:
    return shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def _not_as_root(folder: Path) -> dict[str, Any]:
    """PgBouncer refuses root: hand it to the user nobody."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        os.chown(path, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _wait(dsn: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(dsn, prepare_threshold=None, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("PgBouncer doesn't start")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
