"""Two processes beside the load: one deletes ready messages by id, one calls maintain."""

from __future__ import annotations

import random

from tests_integration.torture.engine import Engine
from tests_integration.torture.session import Session
from tests_integration.torture.surroundings import Surroundings

CANCEL_PAUSE = 0.15
MAINTAIN_PAUSE = 0.25


class Canceller:
    """Deletes messages that looked ready a moment ago, without a receipt."""

    def __init__(self, surroundings: Surroundings, chance: random.Random) -> None:
        self._around = surroundings
        self._chance = chance

    def work(self, session: Session) -> None:
        number, ready = session.call(
            "look",
            "select msg_id from pgqueue.messages where queue = %s and state in ('ready', 'delayed')"
            " order by msg_id desc limit 20",
            [self._around.queue],
        )
        session.note(number, "look")
        if ready:
            engine = Engine(session, self._around.queue, by_name=self._chance.random() < 0.5)
            engine.cancel(self._chance.choice(ready)[0])
        self._around.sleep(CANCEL_PAUSE)


class Maintainer:
    """Runs sweep steps."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def work(self, session: Session) -> None:
        number, _ = session.call("maintain", "select from pgqueue.maintain(%s)", [self._around.queue])
        session.note(number, "maintain")
        self._around.sleep(MAINTAIN_PAUSE)
