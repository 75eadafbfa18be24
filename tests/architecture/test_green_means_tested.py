"""A run that says "passed" has run everything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import lanes

ROOT = Path(__file__).resolve().parents[2]
NOT_RUN = {
    "skip in the body": "def test_it():\n    pytest.skip('no reason')\n",
    "skip mark": "@pytest.mark.skip(reason='no reason')\ndef test_it():\n    pass\n",
    "skip of the whole file": "pytest.skip('no reason', allow_module_level=True)\n",
    "missing module": "pytest.importorskip('no_such_module')\ndef test_it():\n    pass\n",
    "expected failure": "@pytest.mark.xfail\ndef test_it():\n    assert False\n",
    "unexpected success": "@pytest.mark.xfail\ndef test_it():\n    pass\n",
}
FAILED = {1, 2}  # of a test, of the collection of a file


@pytest.mark.parametrize("case", NOT_RUN)
def test_what_was_not_run_fails_when_everything_is_required(case: str, tmp_path: Path) -> None:
    assert exit_code(NOT_RUN[case], tmp_path, require_all="1") in FAILED


def test_skips_are_allowed_while_working(tmp_path: Path) -> None:
    assert exit_code(NOT_RUN["skip in the body"], tmp_path, require_all="0") == 0


def exit_code(body: str, directory: Path, require_all: str) -> int:
    """Run pytest over one test file under the conftest of the checkout."""
    shutil.copy(ROOT / "conftest.py", directory)
    (directory / "test_one.py").write_text(f"import pytest\n{body}\ndef test_other():\n    pass\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        str(directory),
    ]
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment | {"PGQUEUE_REQUIRE_ALL": require_all, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        check=False,
    )
    return done.returncode


def test_lane_without_a_single_test_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lanes, "REPORTS", tmp_path)
    monkeypatch.setitem(lanes.LANES, "unit", [[sys.executable, "-c", "pass"]])
    assert not lanes.run("unit").ok


def test_missing_pgbouncer_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lanes, "has_pgbouncer", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not lanes.run("integration").ok
    said = capfd.readouterr().err
    assert "not running as root" in said
    assert "apt-get install pgbouncer" in said
