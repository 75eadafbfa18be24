"""The part of one process in the race for a lease: to win it, to keep it, to know when it is gone, to give it back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from pgqueue.errors import PermissionDenied, PgQueueError, SchemaMismatch
from pgqueue.leadership import calls
from pgqueue.leadership.model import Bid, Runner, Terms
from pgqueue.leadership.rules import check_holder
from pgqueue.log import get_logger
from pgqueue.periodic import Trouble

log = get_logger("pgqueue.leadership")

REFUSED_SECONDS = 60.0
RESIGN_SECONDS = 2.0
SPREAD_SECONDS = 0.1  # so that many standbys don't ask at the same moment
ANOTHER_LEADS = "another process leads"
NO_ANSWER = "no answer before the lease lapsed"


class Lease:
    """One lease, as one process sees it. Made and used in one event loop.

    `holder` must be of this process alone: two under one name would both lead. Raises: InvalidInput for a blank one.
    """

    def __init__(
        self,
        runner: Runner,
        name: str,
        holder: str,
        terms: Terms = calls.DEFAULT,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name, self.holder = check_holder(name, holder)
        self.terms = terms
        self.token: int | None = None
        self._runner, self._chance = runner, chance
        self._now = asyncio.get_running_loop().time
        self._until = 0.0

    def leads(self) -> bool:
        """Tell whether something may be begun: the lease was proven less than its length ago.

        Asked before each step, since a process that was stopped for longer is told by nobody.
        """
        return self.token is not None and self._now() < self._until

    async def bid(self) -> Bid:
        """Ask once to lead. Raises: as the runner."""
        asked_at = self._now()
        bid = await self._runner.run(calls.try_lead(self.name, self.holder, self.terms))
        if bid.token is not None:
            self.token, self._until = bid.token, asked_at + self.terms.lease
            log.info("leader.elected", name=self.name, holder=self.holder, number=bid.token)
        return bid

    async def win(self) -> None:
        """Return when this process leads. A server in trouble is left alone for longer and longer."""
        trouble, refused = Trouble(self._chance), False
        while True:
            try:
                bid = await self.bid()
            except (PermissionDenied, SchemaMismatch) as error:
                if not refused:
                    self._say_refused(error)
                refused = True
                await asyncio.sleep(REFUSED_SECONDS)
            except PgQueueError as error:
                wait = trouble.seen()
                if trouble.is_news:
                    log.warning(
                        "leader.unelected", name=self.name, error=str(error), failures=trouble.failures
                    )
                await asyncio.sleep(wait)
            else:
                if bid.token is not None:
                    return
                trouble.over()
                wait = min(self._interval(), max(0.0, bid.lapses_in) + SPREAD_SECONDS * self._chance())
                await asyncio.sleep(wait)

    async def keep(self) -> str:
        """Renew the lease until that fails, in whatever way; return why. It leads no more then."""
        while True:
            await asyncio.sleep(self._interval())
            why = await self._renew()
            if why is not None:
                return why

    def step_down(self, why: str) -> None:
        """Lead no more, at once, and without a word to the server: the lease is lost, or lapses."""
        self.token = None
        log.warning("leader.lost", name=self.name, holder=self.holder, why=why)

    async def resign(self) -> None:
        """Give the lease back, if it is still ours; a failure only means that the others wait until it lapses."""
        if self.token is None:
            return
        token, self.token = self.token, None
        try:
            async with asyncio.timeout(RESIGN_SECONDS):
                given_back = await self._runner.run(calls.resign(self.name, self.holder, token))
        except (PgQueueError, TimeoutError) as error:
            log.warning("leader.unresigned", name=self.name, holder=self.holder, error=str(error))
        else:
            log.info("leader.resigned", name=self.name, holder=self.holder, given_back=given_back)

    def _say_refused(self, error: PgQueueError) -> None:
        log.error("leader.refused", name=self.name, error=str(error))

    async def _renew(self) -> str | None:
        asked_at = self._now()
        assert self.token is not None  # noqa: S101 - whoever doesn't lead has nothing to keep
        try:
            async with asyncio.timeout_at(self._until):
                kept = await self._runner.run(calls.renew(self.name, self.holder, self.token, self.terms))
        except TimeoutError:
            return NO_ANSWER
        except PgQueueError as error:
            return str(error)
        if not kept:
            return ANOTHER_LEADS
        self._until = asked_at + self.terms.lease
        return None

    def _interval(self) -> float:
        return self.terms.interval * (0.75 + self._chance() / 4)
