"""Renews the leases of running messages, from a thread with its own connection that no handler can starve."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable

from pgqueue.consumer.calls import as_asked
from pgqueue.consumer.model import Clock, Held, QueuePlan, RenewalRunner
from pgqueue.consumer.settle import parts_of_calls
from pgqueue.errors import PgQueueError
from pgqueue.log import get_logger
from pgqueue.message.calls import set_vt_batch
from pgqueue.message.model import Outcome

log = get_logger("pgqueue.consumer")

PARTS = 3
LONGEST_WAIT = 1.0
JOIN_SECONDS = 10.0


class Renewal:
    """The leases of the messages whose handlers run. The loop calls `add` and `remove`, the thread the rest.

    A message is renewed first when a third of vt has passed since its claim, then every third, and no longer
    once its handler has run for health_stale seconds: no handler may hold a message for ever. The connection
    is opened when the first renewal is due, so short tasks never pay for it.
    """

    def __init__(self, open_runner: Callable[[float], RenewalRunner], now: Clock = time.monotonic) -> None:
        self._open_runner = open_runner
        self._now = now
        self._runner: RenewalRunner | None = None
        self._timeout = math.inf
        self._running: dict[int, Held] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._shortest_vt = math.inf
        self._thread = threading.Thread(target=self._repeat, name="lease-renewal", daemon=True)
        self._failing_since: float | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; wait for a renewal that is on its way, at most 10 s."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)

    def add(self, held: Held) -> None:
        """Renew this message from now on."""
        with self._lock:
            self._running[id(held)] = held
        if held.plan.vt < self._shortest_vt:  # the thread may be in a longer sleep than this one can bear
            self._shortest_vt = held.plan.vt
            self._wake.set()

    def remove(self, held: Held) -> None:
        """Leave this message alone: its handler has ended."""
        with self._lock:
            self._running.pop(id(held), None)

    def renew_due(self) -> int:
        """Renew what is due now; return how many were."""
        now = self._now()
        with self._lock:
            running = list(self._running.values())
        due = [held for held in running if self._is_due(held, now)]
        for plan, group in _by_plan(due):
            for part in parts_of_calls(group, lambda held: held.message.msg_id):
                self._renew(plan, part)
        return len(due)

    def wait_seconds(self) -> float:
        """Say how long nothing can become overdue: a sixth of the shortest vt seen, at most a second."""
        return min(self._shortest_vt / (2 * PARTS), LONGEST_WAIT)

    def _repeat(self) -> None:
        while not self._stopping:
            self._wake.wait(self.wait_seconds())
            self._wake.clear()
            try:
                self.renew_due()
            except Exception:  # a thread that ended here would let every long message be taken over unseen
                log.exception("lease.renewal_failed")
        if self._runner is not None:
            self._runner.close()

    def _is_due(self, held: Held, now: float) -> bool:
        if held.lost or held.outlived or held.acked:
            return False
        if held.started_at is not None and now - held.started_at >= held.plan.health_stale:
            held.outlived = True
            log.error("message.outlived", **_identifiers(held), ran_for=round(now - held.started_at, 1))
            return False
        last = held.claimed_at if held.renewed_at is None else held.renewed_at
        return now - last >= held.plan.vt / PARTS

    def _renew(self, plan: QueuePlan, group: list[Held]) -> None:
        asked_at = self._now()
        ids = [held.message.msg_id for held in group]
        call = as_asked(
            set_vt_batch(plan.queue, ids, plan.vt, [held.message.receipt for held in group]), plan
        )
        try:
            outcomes = self._bounded_runner().run(call)
        except PgQueueError as error:
            self._note_failure(plan, len(group), error)
            return
        self._failing_since = None
        with self._lock:  # what ended in the meantime may be gone because it was acked
            still_running = [held for held in group if id(held) in self._running]
        for held in still_running:
            _note(held, outcomes.get(held.message.msg_id, Outcome.GONE), asked_at)

    def _bounded_runner(self) -> RenewalRunner:
        """Return the runner; a call that hangs on it leaves time for another before the shortest lease is over."""
        timeout = self._shortest_vt / PARTS
        if self._runner is not None and timeout < self._timeout:
            self._runner.close()
            self._runner = None
        if self._runner is None:
            self._runner, self._timeout = self._open_runner(timeout), timeout
        return self._runner

    def _note_failure(self, plan: QueuePlan, messages: int, error: PgQueueError) -> None:
        now = self._now()
        self._failing_since = self._failing_since or now
        failing_for = round(now - self._failing_since, 1)
        lapsed = failing_for >= plan.vt
        say = log.error if lapsed else log.warning
        say(
            "lease.renewal_failed",
            queue=plan.queue,
            messages=messages,
            error=str(error),
            failing_for=failing_for,
            lapsed=lapsed,
        )


def _note(held: Held, outcome: Outcome, asked_at: float) -> None:
    if outcome is Outcome.DONE:
        held.renewed_at = asked_at
        held.lease_until = asked_at + held.plan.vt
    elif outcome is not Outcome.BUSY and not held.acked:  # busy: it is being settled right now
        held.lost = True
        log.warning("message.lease_lost", **_identifiers(held), outcome=outcome)


def _by_plan(due: Iterable[Held]) -> list[tuple[QueuePlan, list[Held]]]:
    """Group by plan, not by queue: what was claimed before a change of settings keeps its own vt."""
    groups: dict[QueuePlan, list[Held]] = {}
    for held in due:
        groups.setdefault(held.plan, []).append(held)
    return list(groups.items())


def _identifiers(held: Held) -> dict[str, object]:
    return {"queue": held.plan.queue, "msg_id": held.message.msg_id, "attempt": held.attempt}
