"""One worker process: `python -m tests_integration.torture.worker <folder> <name> <incarnation>`."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests_integration.torture.bystanders import Canceller, Maintainer
from tests_integration.torture.history import Recorder
from tests_integration.torture.reader import Reader
from tests_integration.torture.session import Interrupted, Session
from tests_integration.torture.surroundings import Surroundings
from tests_integration.torture.writer import Writer

RECONNECT_PAUSE = 0.05


class Role(Protocol):
    def work(self, session: Session) -> None:
        """One unit of work. Raises: Interrupted, psycopg.Error."""


def main(folder: Path, name: str, incarnation: int) -> None:
    """Work until SIGTERM. A lost connection is made anew, for as long as it takes."""
    spec = next(w for w in json.loads((folder / "schedule.json").read_text())["workers"] if w["name"] == name)
    around = Surroundings.load(folder, f"{name}.{incarnation}")
    signal.signal(signal.SIGTERM, lambda *_: setattr(around, "stopping", True))
    chance = random.Random(f"{spec['seed']}/{incarnation}")
    recorder = Recorder(folder, around.process)
    role = make_role(spec, around, chance)
    session: Session | None = None
    while not around.stopping:
        try:
            if session is None or not session.alive:
                session = Session(around.conninfo, recorder, chance, hasty=spec["hasty"])
            role.work(session)
        except Interrupted:
            session = _recovered(session)
        except psycopg.OperationalError:  # of a connect: everything else is in the history
            session = None
            around.sleep(RECONNECT_PAUSE)
    recorder.close()


def make_role(spec: dict[str, Any], around: Surroundings, chance: random.Random) -> Role:
    if spec["role"] == "writer":
        return Writer(around, chance)
    if spec["role"] == "reader":
        return Reader(around, chance, spec["mode"])
    return Canceller(around, chance) if spec["role"] == "canceller" else Maintainer(around)


def _recovered(session: Session | None) -> Session | None:
    """Return the session outside any transaction, or none."""
    try:
        if session is not None:
            session.recover()
    except Interrupted:
        return None
    return session


if __name__ == "__main__":
    os.environ["PGAPPNAME"] = sys.argv[2]
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
