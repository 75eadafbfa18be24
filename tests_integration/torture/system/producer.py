"""One producer process: `python -m tests_integration.torture.system.producer <folder> <name> <incarnation>`.

It sends in every way that the public API has, at a steady rate, until SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from pgqueue import AsyncPgQueue, PgQueue
from pgqueue.errors import InDoubt, KeyBusy, PgQueueError, Unavailable
from tests_integration.torture.system import fanout
from tests_integration.torture.system.armer import Armer
from tests_integration.torture.system.controls import call_plant
from tests_integration.torture.system.message import Draft, malformed, orchestrators, ordinary, poisonous
from tests_integration.torture.system.recorder import History

ENOUGH_READY = 150  # what waits longer than the bound shall be stuck, not one of too many
LOOK_SECONDS = 0.25
CALL_TIMEOUT = 6.0
MOST_REPEATS = 20
BURST = 25


class Producer:
    """Keeps its rate by a token bucket. A message whose send is in doubt is sent again only under its key."""

    def __init__(self, folder: Path, name: str, incarnation: int) -> None:
        config = json.loads((folder / "run.json").read_text())
        schedule = json.loads((folder / "schedule.json").read_text())
        self._folder, self._config, self._poisons = folder, config, schedule["poisons"]
        self._p = f"{name}.{incarnation}"
        self._chance = random.Random(f"{schedule['seed']}/{self._p}")
        self._rate = schedule["rate"] / schedule["producers"]
        self._queues: list[str] = list(schedule["queues"])
        self._dsn: str = config["producers_dsn"]
        self._client = PgQueue(self._dsn, role="producer", call_timeout=CALL_TIMEOUT)
        self._asyncio = asyncio.Runner()
        self._async_client = AsyncPgQueue(self._dsn, role="producer", call_timeout=CALL_TIMEOUT)
        self._history = History(folder, self._p, "producer")
        self._armer = Armer(
            self._chance, self._history, self._dsn, (self._client, self._async_client), self._asyncio.run
        )
        self._barriers, self._claims, self._seconds = (
            schedule[name] for name in ("barriers", "claims", "seconds")
        )
        self._sent, self._transactions, self._look_at = 0, 0, 0.0
        self._keyed: list[tuple[str, Draft]] = []
        self.stopping = False

    def work(self) -> None:
        """Send until told to stop."""
        began, sent = time.monotonic(), 0.0
        while not self.stopping:
            sent += self._one_step()
            ahead = sent / self._rate - (time.monotonic() - began)
            if ahead < -BURST / self._rate:  # what was missed in a fault is not made up for
                began, sent = time.monotonic(), 0.0
            self._sleep(ahead)
            self._let_consumers_catch_up()
        self._asyncio.run(self._async_client.close())
        self._client.close()
        self._asyncio.close()
        self._history.close()

    def _one_step(self) -> int:
        queue = self._chance.choice(self._queues)
        self._send_due_poison()
        what = self._chance.random()
        if self._barriers and self._chance.random() < self._barriers:
            return self._armer.arm(fanout.draw(self._chance, self._next_uid(), self._queues))
        if self._claims and self._chance.random() < self._claims:
            return self._send_orchestrators()
        if what < 0.12:
            return self._send_many(queue)
        if what < 0.27:
            return self._send_in_transaction(queue)
        if what < 0.30 and self._keyed:
            queue, draft = self._chance.choice(self._keyed)
            self._send(queue, draft)  # the same key again: no second message
            return 1
        draft = self._draft()
        if what < 0.36:
            draft.delay = self._chance.choice([0.2, 0.7, 1.5])
        if self._chance.random() < 0.4:
            draft.key = f"key-{draft.uid}"
            self._keyed = [*self._keyed[-50:], (queue, draft)]
        self._send(queue, draft)
        return 1

    def _next_uid(self) -> str:
        self._sent += 1
        return f"{self._p}-{self._sent}"

    def _send_orchestrators(self) -> int:
        """Send a few messages that want the same claim, perhaps to both queues."""
        drafts = orchestrators(self._next_uid(), self._chance)
        for draft in drafts:
            self._send(self._chance.choice(self._queues), draft)
        return len(drafts)

    def _draft(self) -> Draft:
        uid = self._next_uid()
        if self._chance.random() < 0.002:
            return malformed(uid)
        return ordinary(uid, self._chance, tx=self._config["tx"])

    def _send_due_poison(self) -> None:
        """Send the poison whose time has come, unless another incarnation did."""
        for number, poison in enumerate(self._poisons):
            if time.monotonic() - self._config["began"] < poison["at"]:
                continue
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._folder / f"poison-{number}", os.O_CREAT | os.O_EXCL))
                draft = poisonous(f"{self._p}-poison-{number}", poison["mode"], self._chance)
                if self._barriers and self._chance.random() < 0.7:
                    uid, queue = f"{draft.uid}-b", poison["queue"]
                    self._armer.arm(
                        fanout.around(self._chance, uid, self._queues, draft, queue, self._seconds)
                    )
                    continue
                draft.key = f"poison-{number}"
                self._send(poison["queue"], draft)

    def _send(self, queue: str, draft: Draft) -> None:
        """Send one message; with a key until it is certain, without one once."""
        for attempt in range(MOST_REPEATS if draft.key else 1):
            if attempt:
                self._sleep(0.3)
            number = self._invoke(queue, [draft])
            try:
                msg_id = self._call("send", queue, draft.message, delay=draft.delay, key=draft.key)
            except PgQueueError as error:
                self._unsent(number, error, repeatable=draft.key is not None)
                if self.stopping or not isinstance(error, InDoubt | Unavailable | KeyBusy):
                    return
                continue
            self._history.ok(number, "send", ids=[msg_id])
            return

    def _send_many(self, queue: str) -> int:
        drafts = [self._draft() for _ in range(self._chance.randint(2, BURST))]
        keyed = self._chance.random() < 0.3
        for draft in drafts:
            draft.key = f"key-{draft.uid}" if keyed else None
        number = self._invoke(queue, drafts)
        keys = [draft.key for draft in drafts] if keyed else None
        try:
            ids = self._call("send_many", queue, [draft.message for draft in drafts], keys=keys)
        except PgQueueError as error:
            self._unsent(number, error, repeatable=keyed)
            if keyed and isinstance(error, InDoubt | Unavailable | KeyBusy):
                for draft in drafts:
                    self._send(queue, draft)
        else:
            self._history.ok(number, "send", ids=ids)
        return len(drafts)

    def _send_in_transaction(self, queue: str) -> int:
        """Send inside a transaction of the caller's, which commits or rolls back."""
        self._transactions += 1
        tx, number = self._transactions, self._chance.randint(1, 3)
        rolls_back = self._chance.random() < 0.15
        try:
            with contextlib.closing(
                psycopg.connect(self._dsn, prepare_threshold=None, connect_timeout=3)
            ) as own:
                sent = self._sends_of(own, queue, tx, number)
                self._end(own, tx, how="rollback" if rolls_back or not sent else "commit")
        except psycopg.OperationalError:  # of the connect: nothing was begun
            self._sleep(0.2)
        return number

    def _sends_of(self, own: psycopg.Connection[Any], queue: str, tx: int, number: int) -> bool:
        """Send through the open transaction; false when that failed, and the transaction with it."""
        client = self._client.on(own)
        for _ in range(number):
            draft = self._draft()
            line = self._invoke(queue, [draft], tx=tx)
            try:
                own.execute("insert into torture.unrelated values (%s)", [tx])
                self._history.ok(line, "send", ids=[client.send(queue, draft.message)])
            except (PgQueueError, psycopg.Error) as error:
                self._history.fail(line, "send", error)
                return False
            self._sleep(self._chance.choice([0, 0, 0.01, 0.1]))
        return True

    def _end(self, own: psycopg.Connection[Any], tx: int, *, how: str) -> None:
        line = self._history.invoke(how, tx=tx)
        try:
            if how == "rollback":
                own.rollback()
            else:
                own.commit()
        except psycopg.Error as error:
            if how == "rollback":  # a lost connection rolls back as well
                self._history.ok(line, how)
            elif own.closed or own.broken or error.sqlstate is None:
                self._history.info(line, how, error)
            else:
                self._history.fail(line, how, error)
        else:
            self._history.ok(line, how)

    def _call(self, verb: str, queue: str, message: Any, **options: Any) -> Any:
        """Call the sync client or the async one."""
        if self._chance.random() < 0.5:
            return getattr(self._client, verb)(queue, message, **options)
        return self._asyncio.run(getattr(self._async_client, verb)(queue, message, **options))

    def _invoke(self, queue: str, drafts: list[Draft], tx: int | None = None) -> int:
        keys = [draft.key for draft in drafts]
        return self._history.invoke(
            "send",
            queue=queue,
            sends=[[draft.uid, draft.hash, draft.kind] for draft in drafts],
            delay_us=round(drafts[0].delay * 1_000_000),
            keys=keys if any(keys) else None,
            tx=tx,
        )

    def _unsent(self, number: int, error: PgQueueError, *, repeatable: bool) -> None:
        """Without a key `Unavailable` promises that nothing was done; with one it promises nothing."""
        unknown = isinstance(error, InDoubt) or (repeatable and isinstance(error, Unavailable))
        if unknown:
            self._history.info(number, "send", error, in_doubt=isinstance(error, InDoubt))
        else:
            self._history.fail(number, "send", error)

    def _let_consumers_catch_up(self) -> None:
        while not self.stopping and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            with contextlib.suppress(PgQueueError):
                if sum(queue.ready for queue in self._client.metrics()) > ENOUGH_READY:
                    self._sleep(LOOK_SECONDS)

    def _sleep(self, seconds: float) -> None:
        """Sleep, but not past a SIGTERM by more than a moment."""
        until = time.monotonic() + seconds
        while not self.stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))


def main(folder: Path, name: str, incarnation: int) -> None:
    call_plant()
    producer = Producer(folder, name, incarnation)
    signal.signal(signal.SIGTERM, lambda *_: setattr(producer, "stopping", True))
    producer.work()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
