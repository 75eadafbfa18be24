"""`python -m tests_integration.torture.planted [NAME…]`: break the system in one place at a time, and see it caught.

Exit code 0: every mutant was caught by the check that its row of the table names, in a history that can be trusted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests_integration.torture.planted.table import MUTANTS, PATCHES, Mutant
from tests_integration.torture.verdict.judge import UNREADABLE, judge

ROOT = Path(__file__).resolve().parents[3]
PLANT = "PGQUEUE_TORTURE_PLANT"
LONGEST_SECONDS = 240


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser("tests_integration.torture.planted", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(m.name for m in MUTANTS)}")
    parser.add_argument("--seed", type=int, help="another than that of the table")
    parser.add_argument("--out", type=Path, help="folder for the evidence; default: a temporary one")
    options = parser.parse_args(words)
    wanted = [mutant for mutant in MUTANTS if not options.names or mutant.name in options.names]
    if unknown := set(options.names) - {mutant.name for mutant in MUTANTS}:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    folder = options.out or Path(tempfile.mkdtemp(prefix="pgq-torture-planted-"))
    sys.stdout.write(f"evidence: {folder}\n")
    caught = [is_caught(mutant, folder / mutant.name, options.seed or mutant.seed) for mutant in wanted]
    sys.stdout.write(f"{sum(caught)} of {len(caught)} mutants caught\n")
    return 0 if all(caught) else 1


def is_caught(mutant: Mutant, folder: Path, seed: int) -> bool:
    """Run a mutant and judge it; print a line."""
    folder.mkdir(parents=True, exist_ok=True)
    run = _run(mutant, folder, seed)
    violations: dict[str, int] = {}
    code = UNREADABLE
    if run.returncode == 0:
        verdict = judge(folder / "run")
        violations, code = verdict.violations, verdict.code
    caught = code != UNREADABLE and any(name in violations for name in mutant.caught_by)
    found = ", ".join(f"{name} {count}" for name, count in violations.items()) or "nothing"
    said = f"found {found}" if run.returncode == 0 else f"no run: see {folder / 'run.log'}"
    word = "caught" if caught else "MISSED"
    sys.stdout.write(f"{word} {mutant.name:28} by {'/'.join(mutant.caught_by):12} {said}\n")
    if code == UNREADABLE and run.returncode == 0:
        report = json.loads((folder / "run" / "report.json").read_text())
        sys.stdout.write(f"        the history can't be trusted: {report['cases']['history_broken'][:2]}\n")
    sys.stdout.flush()
    return caught


def _run(mutant: Mutant, folder: Path, seed: int) -> subprocess.CompletedProcess[bytes]:
    """Run the harness, as a process of its own that knows nothing but its options and its environment."""
    override = folder / "override.sql"
    override.write_text(mutant.sql())
    argv = [
        sys.executable,
        "-m",
        "tests_integration.torture.system",
        "--profile",
        mutant.profile,
        "--seed",
        str(seed),
    ]
    argv += [
        "--seconds",
        str(mutant.seconds),
        "--kind",
        mutant.kind,
        "--out",
        str(folder / "run"),
        "--keep",
        "--no-verdict",
    ]
    argv += mutant.more
    if mutant.changes:
        argv += ["--override", str(override)]
    planted = {PLANT: f"{PATCHES}:{mutant.patch}"} if mutant.patch else {}
    with (folder / "run.log").open("wb") as log:
        return subprocess.run(
            argv,
            cwd=ROOT,
            stdout=log,
            stderr=log,
            check=False,
            timeout=LONGEST_SECONDS,
            env=os.environ | planted,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
