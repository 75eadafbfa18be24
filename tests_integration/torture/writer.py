"""A producer: transactions of one to five sends, with all that can happen to a transaction."""

from __future__ import annotations

import random
import time

from tests_integration.torture.engine import Engine
from tests_integration.torture.session import Interrupted, Session
from tests_integration.torture.surroundings import Surroundings

SHARED_KEYS = 40
ENOUGH_READY = 150
LOOK_SECONDS = 0.25
POISON = 0.002  # never settled by a reader before the drain: meets the hard cap


class Writer:
    """Sends until told to stop. Every payload carries a uid that is used once, except under a key."""

    def __init__(self, surroundings: Surroundings, chance: random.Random) -> None:
        self._around = surroundings
        self._chance = chance
        self._count = 0
        self._look_at = 0.0

    def work(self, session: Session) -> None:
        """One transaction, or one send in autocommit, and a pause that keeps the rate."""
        if time.monotonic() > self._look_at:
            self._let_readers_catch_up(session)
        engine = Engine(session, self._around.queue, by_name=self._chance.random() < 0.5)
        if self._chance.random() < 0.4:
            self._send(engine)
        else:
            self._transaction(session, engine)
        self._around.sleep(self._chance.uniform(0, 2 * self._around.writer_pause))

    def _let_readers_catch_up(self, session: Session) -> None:
        """Wait while much is ready: what lies visible for long shall be stuck, not one of too many."""
        self._look_at = time.monotonic() + LOOK_SECONDS
        while not self._around.stopping:
            number, rows = session.call("look", "select ready from pgqueue.metrics(%s)", [self._around.queue])
            session.note(number, "look")
            if rows[0][0] < ENOUGH_READY:
                return
            self._around.sleep(0.05)

    def _transaction(self, session: Session, engine: Engine) -> None:
        session.begin()
        for _ in range(self._chance.randint(1, 5)):
            if self._chance.random() < 0.15:
                self._in_savepoint(session, engine)
            else:
                self._send(engine)
        if self._chance.random() < 0.03:
            self._around.sleep(self._around.vt * self._chance.uniform(1.1, 2.0))
        if self._chance.random() < 0.1:
            session.rollback()
        else:
            session.commit()

    def _in_savepoint(self, session: Session, engine: Engine) -> None:
        session.savepoint()
        sent = []
        try:
            for _ in range(self._chance.randint(1, 3)):
                sent.append(self._send(engine))  # noqa: PERF401 - what was sent before an error counts
        except Interrupted:
            if not session.alive:
                raise
            session.undo(sent)
            return
        if self._chance.random() < 0.5:
            session.undo(sent)

    def _send(self, engine: Engine) -> int:
        what = self._chance.random()
        delay = self._chance.choice([0.2, 1.0, 2.0]) if self._chance.random() < 0.08 else 0.0
        if what < 0.35:
            payloads = [self._payload() for _ in range(self._chance.randint(2, 25))]
            return engine.send_batch(payloads, delay=delay)
        if what < 0.38:
            return engine.send(self._payload(), delay=delay, priority=self._chance.randint(1, 9))
        if what < 0.43:
            key = f"shared-{self._chance.randrange(SHARED_KEYS)}-{int(self._around.progress() * 4)}"
            return engine.send({"uid": key}, key=key)
        return engine.send(self._payload(), delay=delay)

    def _payload(self) -> dict[str, object]:
        self._count += 1
        uid = f"{self._around.process}-{self._count}"
        payload: dict[str, object] = {
            "uid": uid,
            "pad": "x" * self._chance.randint(0, 300),
            "at": time.monotonic_ns(),
        }
        if self._chance.random() < POISON:
            payload["poison"] = True
        return payload
