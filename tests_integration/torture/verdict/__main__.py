"""`python -m tests_integration.torture.verdict FOLDER…`: judge saved runs again.

Exit code: 0 every promise held in every folder, 1 one was broken, 2 a history is damaged or incomplete.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests_integration.torture.verdict.judge import MINIMUM, judge
from tests_integration.torture.verdict.report import one_line


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser("tests_integration.torture.verdict", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--minimum", type=int, default=MINIMUM, help="fewer messages drained is a failure")
    options = parser.parse_args(words)
    codes = []
    for folder in options.folders:
        if not folder.is_dir():
            sys.stderr.write(f"{folder} is no folder\n")
            codes.append(2)
            continue
        verdict = judge(folder, minimum=options.minimum)
        sys.stdout.write(f"{one_line(verdict.report)}\n     {folder / 'report.md'}\n")
        codes.append(verdict.code)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
