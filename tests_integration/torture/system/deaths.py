"""What the logs of supervisors say about workers that they ended by a signal: those write no last line themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def killed_by_supervisors(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield pid and reason of each, in the checker's words: killed after its grace, or ended on its way up."""
    for path in sorted(folder.glob("log-consumer-*.log")):
        stale: set[int] = set()
        for event in _events(path):
            if event.get("event") == "worker.replaced" and event.get("reason") == "stale":
                stale.add(event["pid"])
            elif event.get("event") == "worker.stopped" and str(event.get("how")).startswith("SIG"):
                yield event["pid"], "stale" if event["pid"] in stale else "stopped"


def _events(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event
