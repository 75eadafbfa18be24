"""A consumer: reads in one of three ways and settles what it got in every way there is."""

from __future__ import annotations

import random
from typing import Literal

from tests_integration.torture.engine import Engine, Got
from tests_integration.torture.session import Session
from tests_integration.torture.surroundings import Surroundings

Mode = Literal["async", "sync", "tx"]
QUANTITIES = (1, 1, 1, 2, 5, 10, 25, 50)
# verb, weight: what becomes of a member of a batch
FATES = (
    ("delete", 66),
    ("abandon", 10),
    ("retry", 6),
    ("release", 5),
    ("renew", 7),
    ("archive", 3),
    ("bury", 2),
    ("forge", 1),
)
IDLE_SECONDS = 0.02


class Reader:
    """Reads until told to stop; while draining it only acknowledges."""

    def __init__(self, surroundings: Surroundings, chance: random.Random, mode: Mode) -> None:
        self._around = surroundings
        self._chance = chance
        self._mode = mode

    def work(self, session: Session) -> None:
        """One read and what follows from it."""
        engine = Engine(session, self._around.queue, by_name=self._chance.random() < 0.5)
        draining = self._around.draining()
        if draining:
            found = self._drain(engine)
        elif self._mode == "tx" or self._chance.random() < 0.01:
            found = self._in_transaction(session, engine)
        else:
            found = self._in_autocommit(engine)
        if not found:
            self._around.sleep(IDLE_SECONDS)

    def _drain(self, engine: Engine) -> bool:
        got = engine.read(50, None)
        if got:
            engine.settle_batch("delete", got)
        return bool(got)

    def _in_autocommit(self, engine: Engine) -> bool:
        asynchronous = self._mode == "async"
        got = engine.read(self._quantity(), self._vt(), asynchronous=asynchronous)
        if got and self._chance.random() < 0.03:
            self._around.sleep(self._around.vt * self._chance.uniform(0.8, 1.6))
        self._settle(engine, got, asynchronous=asynchronous)
        return bool(got)

    def _in_transaction(self, session: Session, engine: Engine) -> bool:
        session.begin()
        if self._chance.random() < 0.03:
            got = engine.pop(self._chance.randint(1, 3))
        else:
            got = engine.read(self._quantity(), self._vt())
            self._settle(engine, got, asynchronous=False)
        if got and self._chance.random() < 0.04:
            self._around.sleep(self._around.vt * self._chance.uniform(1.1, 1.8))
        if self._chance.random() < 0.15:
            session.rollback()
        else:
            session.commit()
        return bool(got)

    def _settle(self, engine: Engine, got: list[Got], *, asynchronous: bool) -> None:
        """Deal the batch out; verbs that may not commit asynchronously don't."""
        names, weights = zip(*FATES, strict=True)
        piles: dict[str, list[Got]] = {}
        for one, fate in zip(got, self._chance.choices(names, weights, k=len(got)), strict=True):
            piles.setdefault("abandon" if one.poison else fate, []).append(one)
        if forged := piles.pop("forge", []):
            for one in forged:
                engine.settle("delete", Got(one.msg_id, one.receipt ^ 1), forged=True)
            piles.setdefault("delete", []).extend(forged)
        if renewed := piles.pop("renew", []):
            self._renew(engine, renewed, asynchronous=asynchronous)
            piles.setdefault("delete", []).extend(renewed)
        piles.pop("abandon", None)
        for verb, pile in piles.items():
            self._run(engine, verb, pile, asynchronous=asynchronous and verb == "delete")

    def _renew(self, engine: Engine, pile: list[Got], *, asynchronous: bool) -> None:
        seconds = self._around.vt * self._chance.choice([0.5, 1.0, 2.0])
        self._run(engine, "set_vt", pile, seconds=seconds, asynchronous=asynchronous)
        if self._chance.random() < 0.2:
            self._around.sleep(seconds * self._chance.uniform(0.3, 1.1))

    def _run(
        self, engine: Engine, verb: str, pile: list[Got], *, seconds: float | None = None, asynchronous: bool
    ) -> None:
        delay = self._chance.choice([0.0, 0.3, 1.0]) if seconds is None else seconds
        if self._chance.random() < 0.6:
            engine.settle_batch(verb, pile, seconds=delay, asynchronous=asynchronous)
            return
        for one in pile:
            engine.settle(verb, one, seconds=delay, asynchronous=asynchronous)

    def _quantity(self) -> int:
        return self._chance.choice(QUANTITIES)

    def _vt(self) -> float | None:
        """The queue's own, or one of this call."""
        if self._chance.random() < 0.6:
            return None
        return self._around.vt * self._chance.choice([0.4, 1.0, 1.5])
