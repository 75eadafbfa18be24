"""The lease of a process on the shared server, and the reaper that waits until nobody holds one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pgqueue.db.embedded.locks import open_lock, try_exclusive, wait_shared
from pgqueue.db.embedded.places import Home, open_log
from pgqueue.errors import ConfigurationError, Unavailable

IDLE_VARIABLE = "PGQUEUE_EMBEDDED_IDLE_SECONDS"
IDLE_SECONDS = 5.0
LAUNCH_SECONDS = 30.0
# The fork precedes every import: the starter waits for a bare interpreter, and isn't the reaper's parent.
BOOT = (
    "import os, sys; os.fork() and os._exit(0); sys.path.insert(0, sys.argv[2]); "
    "from pgqueue.db.embedded.reaper import main; main(sys.argv[3:])"
)

# Per home: the process that took the lease, and its descriptor. Changed only under the start lock.
_taken: dict[Path, tuple[int, int]] = {}


def take_lease(home: Home) -> bool:
    """Hold the lease for the rest of this process's life; false when it holds it already.

    Call it under the start lock. A forked child takes its own, and keeps the parent's alive while it lives.
    """
    owner, _ = _taken.get(home.path, (0, -1))
    if owner == os.getpid():
        return False
    descriptor = open_lock(home.lease)
    wait_shared(descriptor)
    os.utime(descriptor)
    _taken[home.path] = (os.getpid(), descriptor)
    return True


def holds_lease(home: Home) -> bool:
    return _taken.get(home.path, (0, -1))[0] == os.getpid()


def launch_reaper(home: Home) -> bool:
    """Start the detached reaper unless one is at work. Call it under the start lock.

    Its lock is taken here and handed over as an open descriptor, so that two never run and none is missed.
    """
    descriptor = open_lock(home.reaper_lock)
    try:
        if not try_exclusive(descriptor):
            return False
        with open_log(home) as log:
            subprocess.run(
                _reaper_command(home, descriptor),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                pass_fds=(descriptor,),
                timeout=LAUNCH_SECONDS,
                check=True,
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            f"the process that stops the embedded Postgres when it is idle can't be started: {error}",
            cure="Run `pgqueue embedded start`, which needs none, or set PGQUEUE_DSN.",
        ) from error
    finally:
        os.close(descriptor)
    return True


def idle_seconds() -> float:
    """How long the server outlives its last holder."""
    text = os.environ.get(IDLE_VARIABLE, "")
    try:
        seconds = float(text or IDLE_SECONDS)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:  # noqa: PLR2004
        raise ConfigurationError(f"{IDLE_VARIABLE} is {text!r}", cure="Set it to seconds from 0 to 86400.")
    return seconds


def _reaper_command(home: Home, descriptor: int) -> list[str]:
    # Where Python is embedded in another program, sys.executable is empty.
    python = sys.executable or shutil.which("python3") or "python3"
    root = Path(__file__).resolve().parents[3]
    words = ["pgqueue-embedded-reaper", str(root), str(home.path), str(descriptor), str(idle_seconds())]
    return [python, "-c", BOOT, *words]
