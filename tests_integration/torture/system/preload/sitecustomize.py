"""Python imports this by itself in every process of the command under test: PYTHONPATH leads here."""

from __future__ import annotations

import os
import sys
import traceback

if os.environ.get("TORTURE_FOLDER"):
    try:
        from tests_integration.torture.system import tap

        tap.install()
    except BaseException:  # noqa: BLE001 - else Python would go on without what everything is judged by
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(70)
