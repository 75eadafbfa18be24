"""`python -m tests_integration.torture`: run seeds, judge each, exit 0 only if every one is clean.

python -m tests_integration.torture --kind both --seeds 1..20 --seconds 30
python -m tests_integration.torture crash --kind log --times 10
python -m tests_integration.torture check FOLDER
python -m tests_integration.torture regressions
python -m tests_integration.torture system --profile everything --seed 7 --seconds 120    # the real command: see there
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests_integration.torture.checker.verdict import MINIMUM_DRAINED, judge
from tests_integration.torture.run import run
from tests_integration.torture.schedule import Kind, Schedule, make_schedule
from tests_integration.torture.system.__main__ import main as run_system

REGRESSIONS = Path(__file__).parent / "regressions"


def main(words: list[str]) -> int:
    if words[:1] == ["system"]:
        return run_system(words[1:])
    options = _parse(words)
    if options.command == "check":
        return _say([judge(Path(options.folder))])
    folder = Path(options.out or tempfile.mkdtemp(prefix="pgq-torture-runs-"))
    sys.stdout.write(f"histories and reports: {folder}\n")
    return _say(_judged(_schedules(options), folder, options))


def _judged(
    schedules: Iterable[Schedule], folder: Path, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    override = Path(options.override).read_text() if options.override else ""
    for schedule in schedules:
        place = folder / f"{schedule.kind}-{schedule.profile}-{schedule.seed}"
        shutil.rmtree(place, ignore_errors=True)
        began = time.monotonic()
        run(schedule, place, override=override)
        report = judge(place, minimum=options.minimum)
        yield report | {"folder": str(place), "took": round(time.monotonic() - began, 1)}
        if report["ok"] and not options.keep:
            for history in place.rglob("history-*"):
                history.unlink()


def _say(reports: Iterable[dict[str, Any]]) -> int:
    """Print a line a run, and what was found; return the exit code."""
    ok, runs, totals = True, 0, dict.fromkeys(("confirmed", "delivered", "redelivered"), 0)
    for report in reports:
        ok, runs = ok and report["ok"], runs + 1
        figures = report["figures"]
        for name in totals:
            totals[name] += figures[name]
        sys.stdout.write(
            f"{report['kind']:4} {report['profile']} seed {report['seed']:<5} {'ok' if report['ok'] else 'VIOLATIONS':11}"
            f" {report.get('took', 0):6.1f} s  {figures['confirmed']:6} sent {figures['delivered']:7} delivered"
            f" {figures['redelivered']:6} again, faults {sum(report['faults'].values())},"
            f" longest wait {figures['longest_wait_ms']} ms\n"
        )
        for verdict, count in report["violations"].items():
            cases = json.dumps(report["cases"][verdict][:3])
            sys.stdout.write(f"     {verdict}: {count}  {cases}\n     see {report.get('folder', '')}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{runs} runs, {totals}: {'every promise held' if ok and runs else 'FAILED'}\n")
    return 0 if ok and runs else 1


def _schedules(options: argparse.Namespace) -> Iterator[Schedule]:
    if options.command == "regressions":
        for path in sorted(REGRESSIONS.glob("*.json")):
            yield from regression(path)
        return
    kinds: tuple[Kind, ...] = ("row", "log") if options.kind == "both" else (options.kind,)
    for seed in options.seeds:
        for kind in kinds:
            if options.command == "crash":
                seconds = options.seconds or 4.0 * options.times
                yield make_schedule(seed, kind, "crash", seconds, crashes=options.times)
            else:
                yield make_schedule(seed, kind, "everything", options.seconds or 30.0, crashes=options.crash)


def regression(path: Path) -> Iterator[Schedule]:
    """Make the schedules of one kept case: the seed of a run that once failed, and why."""
    case = json.loads(path.read_text())
    for kind in case["kinds"]:
        yield make_schedule(
            case["seed"], kind, case["profile"], case["seconds"], crashes=case.get("crashes", 0)
        )


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "tests_integration.torture", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=["run", "crash", "check", "regressions"], default="run")
    parser.add_argument("folder", nargs="?", help="check: the folder of a run")
    parser.add_argument("--kind", choices=["row", "log", "both"], default="both")
    parser.add_argument("--seeds", type=_seeds, default=[1], help="one seed, a list 1,5,9 or a range 1..20")
    parser.add_argument("--seconds", type=float, help="of load; drain, restore and check come on top")
    parser.add_argument("--crash", type=int, default=0, help="run: lose the server that often (default 2)")
    parser.add_argument("--times", type=int, default=10, help="crash: immediate stops under load")
    parser.add_argument(
        "--minimum", type=int, default=MINIMUM_DRAINED, help="fewer messages settled is a failure"
    )
    parser.add_argument(
        "--override", help="file of SQL, a mutant: functions of the engine to replace before the load"
    )
    parser.add_argument("--out", help="folder for the runs; default: a temporary one")
    parser.add_argument("--keep", action="store_true", help="keep the histories of clean runs too")
    return parser.parse_args(words)


def _seeds(text: str) -> list[int]:
    if ".." in text:
        first, last = text.split("..")
        return list(range(int(first), int(last) + 1))
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
