"""What a worker process knows: its folder, its queue, how long things take, and whether to stop."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DRAIN = "drain"  # this file in the folder tells readers to abandon, roll back and hold nothing any more


@dataclass
class Surroundings:
    """`stopping` is set by SIGTERM; the unit of work that runs is finished."""

    folder: Path
    process: str
    conninfo: str
    queue: str
    vt: float
    seconds: float
    began: float
    writer_pause: float
    stopping: bool = field(default=False)

    @classmethod
    def load(cls, folder: Path, process: str) -> Surroundings:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        names = ("conninfo", "queue", "vt", "seconds", "began", "writer_pause")
        return cls(folder, process, *(config[name] for name in names))

    def draining(self) -> bool:
        return (self.folder / DRAIN).exists()

    def progress(self) -> float:
        """How much of the planned time is over, 0 .. 1."""
        return min(1.0, (time.monotonic() - self.began) / self.seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep, but not past a SIGTERM by more than a moment."""
        until = time.monotonic() + seconds
        while not self.stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
