"""Run test lanes one after the other and say in the end, in one table and one line, what ran.

A lane that fails does not hide the next one. The exit status is 0 only if every lane passed and nothing was
skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".lanes"
PYTHON = sys.executable
PYTEST = [PYTHON, "-m", "pytest"]
WORKERS = "2"

LANES: dict[str, list[list[str]]] = {
    "lint": [
        [PYTHON, "-m", "ruff", "check", "."],
        [PYTHON, "-m", "ruff", "format", "--check", "--output-format", "concise", "."],
        [str(Path(PYTHON).parent / "lint-imports"), "--no-logo"],
        [PYTHON, "scripts/sizes.py"],
    ],
    "types": [[PYTHON, "-m", "mypy"]],
    "unit": [[*PYTEST, "tests"]],
    "integration": [[*PYTEST, "tests_integration", "-n", WORKERS, "--dist", "worksteal"]],
}
COUNTED = ("unit", "integration")
HOW_TO_GET_PGBOUNCER = """\
PgBouncer is not installed, and this command could not install it ({reason}).
The integration lane runs what matters a second time through it, so it did not run. Install it first:
    Debian, Ubuntu:  sudo apt-get install pgbouncer
    Fedora:          sudo dnf install pgbouncer
    macOS:           brew install pgbouncer"""


@dataclass(frozen=True)
class Result:
    lane: str
    ok: bool
    seconds: float
    tests: int = 0
    failed: int = 0
    skipped: int = 0

    def line(self) -> str:
        counts = f"{self.tests:6} tests {self.failed:4} failed {self.skipped:4} skipped" if self.tests else ""
        return f"  {self.lane:12} {'ok' if self.ok else 'FAILED':7} {self.seconds:6.1f} s {counts}".rstrip()


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in LANES]
    if unknown or not names:
        print(f"lanes: {', '.join(LANES)}; not: {', '.join(unknown)}", file=sys.stderr)
        return 2
    results = [run(name) for name in names]
    ok = all(result.ok for result in results)
    tests = sum(result.tests for result in results)
    skipped = sum(result.skipped for result in results)
    seconds = sum(result.seconds for result in results)
    print("\n" + "\n".join(result.line() for result in results))
    verdict = "everything passed" if ok else "FAILED: " + ", ".join(r.lane for r in results if not r.ok)
    print(f"{verdict}: {len(results)} lanes, {tests} tests, {skipped} skipped, {seconds:.0f} s", flush=True)
    return 0 if ok else 1


def run(lane: str) -> Result:
    started = time.monotonic()
    if lane == "integration" and (trouble := provide_pgbouncer()):
        print(HOW_TO_GET_PGBOUNCER.format(reason=trouble), file=sys.stderr, flush=True)
        return Result(lane, ok=False, seconds=time.monotonic() - started)
    report = REPORTS / f"{lane}.xml"
    report.unlink(missing_ok=True)
    ok = True
    for command in LANES[lane]:
        counting = [f"--junitxml={report}", "-o", "junit_logging=no"] if lane in COUNTED else []
        print(f"\n== {lane}: {' '.join(Path(part).name for part in command)}", flush=True)
        environment = os.environ | {"PGQUEUE_REQUIRE_ALL": "1"}
        ok &= subprocess.run([*command, *counting], cwd=ROOT, env=environment, check=False).returncode == 0
    seconds = time.monotonic() - started
    if lane not in COUNTED:
        return Result(lane, ok, seconds)
    tests, failed, skipped = counts(report)
    return Result(lane, ok and tests > 0 and skipped == 0, seconds, tests, failed, skipped)


def counts(report: Path) -> tuple[int, int, int]:
    """Return tests, failures (errors included) and skips of a JUnit report; zeros where none was written."""
    if not report.exists():
        return 0, 0, 0
    suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - our own file of a moment ago

    def total(attribute: str) -> int:
        return sum(int(suite.get(attribute, "0")) for suite in suites)

    return total("tests"), total("failures") + total("errors"), total("skipped")


def provide_pgbouncer() -> str | None:
    """Install PgBouncer where it is missing and the machine lets us; return why not, None if it is there."""
    if has_pgbouncer():
        return None
    if os.geteuid() != 0:
        return "not running as root"
    if shutil.which("apt-get") is None:
        return "there is no apt-get"
    print("installing pgbouncer with apt-get, for the integration lane", flush=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "pgbouncer"]
    said = ""
    # The package lists are brought up to date only where they are too old for the first try.
    for command in (
        install,
        ["apt-get", "update", "-qq"],
        install,
    ):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
        said = done.stderr.strip() or said
        if has_pgbouncer():
            return None
    return f"apt-get said: {said}"


def has_pgbouncer() -> bool:
    places = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    return shutil.which("pgbouncer", path=places) is not None


if __name__ == "__main__":
    # A shell starts what it puts into the background with Ctrl-C ignored, and children inherit that:
    # tests that press it would fail.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    REPORTS.mkdir(exist_ok=True)
    sys.exit(main(sys.argv[1:]))
