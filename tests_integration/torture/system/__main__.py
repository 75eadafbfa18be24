"""`python -m tests_integration.torture.system`: run seeds of a profile, judge each, print a line a run.

python -m tests_integration.torture.system --profile everything --seeds 1..20 --seconds 120
python -m tests_integration.torture.system --profile kills+net --seed 7 --seconds 20 --keep
python -m tests_integration.torture.system --profile barrier,claim,cron,leader --seeds 1..3
python -m tests_integration.torture.system --profile relaxed --seed 1 --seconds 30    # has to find loss

Two of these commands can run at the same time: each run has a server, ports and folders of its own.

Exit code: 0 every promise held (of a control: loss was found), 1 not, 2 a history can't be trusted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests_integration.torture.system.command import is_supervised
from tests_integration.torture.system.crew import ROOT
from tests_integration.torture.system.faults import PROFILES
from tests_integration.torture.system.run import run
from tests_integration.torture.system.schedule import make_schedule
from tests_integration.torture.system.table import HEAD, line

MINIMUM = 1000
UNREADABLE = 2


def main(words: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything is stopped then as well
    options = _parse(words)
    folder = Path(options.out or tempfile.mkdtemp(prefix="pgq-torture-runs-"))
    seeds = options.seeds or [options.seed]
    profiles = options.profile.split(",")
    alone = len(seeds) * len(profiles) == 1 and options.out
    sys.stdout.write(f"evidence: {folder}\n{HEAD}\n")
    sys.stdout.flush()
    codes: list[int] = []
    table: list[str] = []
    for profile in profiles:
        for seed in seeds:
            place = folder if alone else folder / f"{profile}-{seed}"
            codes.append(_one(options, profile, seed, place.resolve(), table))
    with contextlib.suppress(OSError):
        folder.rmdir()  # unless there is something to keep
    red = sum(1 for code in codes if code)
    if len(table) > 1:
        sys.stdout.write("\n".join(["", HEAD, *table, ""]))
    sys.stdout.write(f"{len(codes)} runs, {red} bad: {'FAILED' if red else 'every promise held'}\n")
    return max(codes)


def _one(options: argparse.Namespace, profile: str, seed: int, place: Path, table: list[str]) -> int:
    """Run one seed and judge it; print its line, and add it to the table of the end; return the exit code."""
    began = time.monotonic()
    schedule = make_schedule(
        seed, profile, options.seconds, kind=options.kind, supervised=is_supervised() and options.supervised
    )
    override = Path(options.override).read_text() if options.override else ""
    outcome = run(schedule, place, override=override, at_least=options.minimum)
    told = {
        "failures": outcome.failures,
        "restarts": outcome.restarts,
        "took": round(time.monotonic() - began, 1),
    }
    (place / "outcome.json").write_text(json.dumps(told, indent=1) + "\n")
    if not options.verdict:
        return 0
    code = judge(place, minimum=options.minimum)
    report = json.loads((place / "report.json").read_text()) if (place / "report.json").exists() else {}
    good = _is_good(code, report, outcome.failures, control=bool(schedule.control))
    table.append(line(report, told, good=good))
    sys.stdout.write(table[-1] + "\n")
    for failure in outcome.failures:
        sys.stdout.write(f"      the run itself: {failure}\n")
    if not good:
        sys.stdout.write(f"      see {place / 'report.md'}\n")
    elif not options.keep:
        shutil.rmtree(place)
    sys.stdout.flush()
    return 0 if good else max(code, 1)


def judge(place: Path, *, minimum: int) -> int:
    """Let the checker judge, as a process of its own that knows only the folder."""
    argv = [sys.executable, "-m", "tests_integration.torture.verdict", str(place), "--minimum", str(minimum)]
    with (place / "verdict.log").open("wb") as log:
        return subprocess.run(argv, cwd=ROOT, stdout=log, stderr=log, check=False).returncode


def _is_good(code: int, report: dict[str, object], failures: list[str], *, control: bool) -> bool:
    if control:
        violations = report.get("violations")
        return code != UNREADABLE and isinstance(violations, dict) and "lost" in violations
    return code == 0 and not failures


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "tests_integration.torture.system", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--profile", default="everything", help=f"one, or several with commas: {', '.join(PROFILES)}"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=_seeds, help="a list 1,5,9 or a range 1..20")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load; warm-up and drain come on top")
    parser.add_argument("--kind", choices=["row", "log", "both"], default="both")
    parser.add_argument("--out", help="folder for the evidence; with one seed the run's own folder")
    parser.add_argument("--keep", action="store_true", help="keep the evidence of clean runs too")
    parser.add_argument(
        "--override", help="file of SQL, a mutant, for each queue: {queue} stands for its name"
    )
    parser.add_argument("--minimum", type=int, default=MINIMUM, help="fewer messages drained is a failure")
    parser.add_argument("--no-verdict", dest="verdict", action="store_false", help="run, but don't judge")
    parser.add_argument(
        "--no-supervisor", dest="supervised", action="store_false", help="plain commands, a process each"
    )
    options = parser.parse_args(words)
    for profile in options.profile.split(","):
        if profile not in PROFILES:
            parser.error(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    return options


def _seeds(text: str) -> list[int]:
    if ".." in text:
        first, last = text.split("..")
        return list(range(int(first), int(last) + 1))
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
