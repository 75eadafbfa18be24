"""The producer's share in coordination: arms barriers in every way that there is, and aborts some."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import psycopg

from pgqueue import AsyncPgQueue, PgQueue, barrier
from pgqueue.errors import InDoubt, PgQueueError, Unavailable
from tests_integration.torture.system import fanout
from tests_integration.torture.system.recorder import History

Await = Callable[[Any], Any]


class Armer:
    """What is in doubt is left so: another attempt is another barrier."""

    def __init__(
        self,
        chance: random.Random,
        history: History,
        dsn: str,
        clients: tuple[PgQueue, AsyncPgQueue],
        wait: Await,
    ) -> None:
        self._chance, self._history, self._dsn = chance, history, dsn
        self._client, self._async_client = clients
        self._wait = wait

    def arm(self, plan: fanout.Plan) -> int:
        """Arm a barrier; return how many messages that makes."""
        how = self._chance.random()
        if how < 0.15:
            self._in_transaction(plan, rolls_back=how < 0.04)
        else:
            self._at_once(plan)
            if self._chance.random() < 0.05:
                self._abort(plan["key"])
        return len(plan["parts"]) + 1

    def _at_once(self, plan: fanout.Plan) -> None:
        number = self._history.invoke("arm", **fanout.told(plan))
        try:
            if self._chance.random() < 0.5:
                generation = fanout.arm(self._client, plan)
            else:
                generation = self._wait(fanout.arm(self._async_client, plan))
        except InDoubt as error:
            self._history.info(number, "arm", error)
        except PgQueueError as error:
            self._history.fail(number, "arm", error)
        else:
            self._history.ok(number, "arm", generation=generation)

    def _in_transaction(self, plan: fanout.Plan, *, rolls_back: bool) -> None:
        with contextlib.suppress(psycopg.OperationalError):  # of the connect: nothing was begun
            own = psycopg.connect(self._dsn, prepare_threshold=None, connect_timeout=3)
            with contextlib.closing(own):
                number = self._history.invoke("arm", **fanout.told(plan))
                try:
                    generation = fanout.arm(own, plan)
                except (PgQueueError, psycopg.Error) as error:
                    self._history.fail(number, "arm", error)  # what is not committed is rolled back
                    return
                if rolls_back:
                    self._history.fail(number, "arm", "rolled back")
                    return
                try:
                    own.commit()
                except psycopg.Error as error:
                    self._history.info(number, "arm", error)
                else:
                    self._history.ok(number, "arm", generation=generation)

    def _abort(self, key: str) -> None:
        number = self._history.invoke("abort", barrier=key)
        try:
            answer = barrier.abort(self._client, key, "the load wants it so")
        except (InDoubt, Unavailable) as error:  # it may have been repeated
            self._history.info(number, "abort", error)
        except PgQueueError as error:
            self._history.fail(number, "abort", error)
        else:
            self._history.ok(number, "abort", answer=str(answer))
