"""A queue that keeps every promise, under faults, written down as a chronicle: what the checker must find clean."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.torture.verdict.chronicle import VT, Chronicle

MAX_READS = 3
WORKERS = 3


@dataclass
class Message:
    msg_id: int
    kind: str
    digest: int
    visible: int
    read_ct: int = 0
    release_ct: int = 0
    over: bool = False

    @property
    def counted(self) -> int:
        return self.read_ct - self.release_ct


class World:
    """One thing happens after the other, but leases and pauses reach over many of them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.chronicle = Chronicle()
        # One thing after the other takes its time; what is measured here is not speed.
        self.chronicle.config["stuck_us"] = 10**10
        self.chronicle.pid("consumer-8.1")  # is there all the time, and never has anything to do
        self.messages: list[Message] = []
        self.incarnations = [1] * WORKERS
        self._receipts = 0
        self._ids = 0
        self._fates = [
            self._finish, self._finish_in_doubt, self._ack_lost, self._fail, self._release, self._killed, self._paused,
            self._renewed,
        ]  # fmt: skip

    def live(self, extra: int) -> None:
        """Let everything happen at least once, and so much more; then drain."""
        fates = self._fates * 2 + self.chance.choices(self._fates, k=extra)
        self.chance.shuffle(fates)
        for kind in ("plain", "tx", "poison"):
            self._send(kind)
        for fate in fates:
            self._send()
            self._deliver(fate)
        while any(not message.over for message in self.messages):
            self._deliver(self._finish)

    def _send(self, kind: str = "") -> None:
        self._ids += 1
        msg_id, how = self._ids, 1.0 if kind else self.chance.random()
        kind = kind or self.chance.choice(["plain", "plain", "tx"])
        message = Message(msg_id, kind, 1000 + msg_id, 0)
        key = f"k{msg_id}"
        if how < 0.1:
            self.chronicle.send(f"u{msg_id}", msg_id, kind, end="info", digest=message.digest)
            if self.chance.random() < 0.5:
                return
        else:
            if how < 0.2:
                self.chronicle.send(f"u{msg_id}", msg_id, kind, end="info", digest=message.digest, key=key)
            self.chronicle.send(f"u{msg_id}", msg_id, kind, digest=message.digest, key=key)
        self.messages.append(message)

    # --- what becomes of a delivery

    def _deliver(self, fate: Callable[[str, Message, int], None]) -> None:
        waiting = [message for message in self.messages if not message.over]
        if not waiting:
            return
        self.chronicle.wait(max(0, min(message.visible for message in waiting) - self.chronicle.now))
        now = self.chronicle.now
        ready = [message for message in waiting if message.visible <= now]
        message = self.chance.choice(ready)
        worker = self.chance.randrange(WORKERS)
        p = f"consumer-{worker}.{self.incarnations[worker]}"
        self._receipts += 1
        message.read_ct += 1
        message.visible = now + VT
        self.chronicle.claim(
            p, message.msg_id, self._receipts, digest=message.digest, read_ct=message.read_ct,
            release_ct=message.release_ct,
        )  # fmt: skip
        if message.counted > MAX_READS:
            self.chronicle.bury(p, message.msg_id, self._receipts)
            self.chronicle.dead(
                message.msg_id, read_ct=message.counted, digest=message.digest, error="it failed"
            )
            message.over = True
        else:
            (self._fail if message.kind == "poison" else fate)(p, message, self._receipts)

    def _run(self, p: str, message: Message, receipt: int, end: str = "ok") -> None:
        self.chronicle.run(
            p, message.msg_id, receipt, end=end, read_ct=message.read_ct, release_ct=message.release_ct,
            digest=message.digest, took=self.chance.randrange(1, 40),
        )  # fmt: skip

    def _finish(self, p: str, message: Message, receipt: int) -> None:
        if message.kind == "tx":
            self.chronicle.effect(p, message.msg_id, receipt)
            self._run(p, message, receipt)
        else:
            self._run(p, message, receipt)
            self.chronicle.ack(p, message.msg_id, receipt)
        message.over = True

    def _finish_in_doubt(self, p: str, message: Message, receipt: int) -> None:
        self._run(p, message, receipt)
        if message.kind == "tx":
            self.chronicle.effect(p, message.msg_id, receipt, end="info", row=True)
        else:
            self.chronicle.ack(p, message.msg_id, receipt, end="info")
        message.over = True

    def _ack_lost(self, p: str, message: Message, receipt: int) -> None:
        self._run(p, message, receipt)
        if message.kind == "tx":
            self.chronicle.effect(p, message.msg_id, receipt, end="info")
        else:
            self.chronicle.ack(p, message.msg_id, receipt, end="info")

    def _fail(self, p: str, message: Message, receipt: int) -> None:
        hide = self.chance.choice([0, 50, 500])
        self._run(p, message, receipt, "fail")
        self.chronicle.nack(p, message.msg_id, receipt, hide=hide)
        message.visible = self.chronicle.now + hide

    def _release(self, p: str, message: Message, receipt: int) -> None:
        self.chronicle.nack(p, message.msg_id, receipt, "release")
        message.release_ct += 1
        message.visible = self.chronicle.now

    def _killed(self, p: str, message: Message, receipt: int) -> None:
        self._run(p, message, receipt, "")
        self.chronicle.kill(p)
        worker = int(p[len("consumer-")])
        self.incarnations[worker] += 1

    def _paused(self, p: str, message: Message, receipt: int) -> None:
        self._run(p, message, receipt)
        self.chronicle.fault("pause_worker", "pause", p, lasts=VT + 50)
        if message.kind != "tx":
            again = self._receipts + 1
            self._deliver_now(message)
            assert again == self._receipts
            self.chronicle.ack(p, message.msg_id, receipt, outcome="gone" if message.over else "stale")

    def _deliver_now(self, message: Message) -> None:
        others = [one for one in self.messages if one is not message and not one.over]
        for one in others:
            one.over = True
        self._deliver(self._finish)
        for one in others:
            one.over = False

    def _renewed(self, p: str, message: Message, receipt: int) -> None:
        self.chronicle.wait(VT // 2)
        self.chronicle.extend(p, message.msg_id, receipt)
        self.chronicle.wait(VT // 2)
        self._finish(p, message, receipt)
