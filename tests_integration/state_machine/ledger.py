"""What the machine itself knows of leases and reads, apart from the model: a second witness."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime

from tests_integration.state_machine.values import Json

Message = tuple[str, int]


@dataclass
class Ledger:
    """`handed` and `used` outlive a rollback: what a caller once saw, it may show again."""

    leased_until: dict[Message, datetime] = field(default_factory=dict)
    reads: dict[Message, int] = field(default_factory=dict)
    handed: dict[Message, list[int]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)

    def saved(self) -> Ledger:
        return Ledger(copy.copy(self.leased_until), copy.copy(self.reads), self.handed, self.used)

    def lease(self, messages: list[Message], receipts: set[int], until: datetime) -> None:
        """Note one read. Its receipt is one for all its messages and was never seen before."""
        assert len(receipts) <= 1, f"one read, several receipts: {receipts}"
        assert not receipts & self.used, f"a receipt came twice: {receipts}"
        self.used |= receipts
        for message in messages:
            self.leased_until[message] = until
            self.handed.setdefault(message, []).extend(receipts)

    def settle(self, name: str, outcomes: dict[int, str], until: datetime | None) -> None:
        """Note what a verb answered; `until` where it moved the vt and left the lease."""
        for msg_id in (msg_id for msg_id, outcome in outcomes.items() if outcome == "done"):
            if (name, msg_id) not in self.leased_until:
                continue
            if until is None:
                del self.leased_until[name, msg_id]
            else:
                self.leased_until[name, msg_id] = until

    def forget_queue(self, name: str) -> None:
        self.leased_until = {
            message: until for message, until in self.leased_until.items() if message[0] != name
        }

    def check(self, rows: list[dict[str, Json]], now: datetime) -> None:
        """Hold the rows of the engine against the leases that it gave out."""
        for row in rows:
            message = (row["queue"], row["msg_id"])
            assert row["read_ct"] >= self.reads.get(message, 0), f"read_ct of {message} fell"
            assert 0 <= row["release_ct"] <= row["read_ct"], f"{message} was released more often than read"
            self.reads[message] = row["read_ct"]
            live = self.leased_until.get(message, now) > now
            assert not live or row["state"] == "in_flight", f"{message} is {row['state']} under a live lease"

    def receipt(self, kind: str, message: Message, current: int | None) -> int | None:
        """Choose a receipt to show for a message; where there is none of that kind, one that nobody ever got."""
        own = self.handed.get(message, [])
        if kind == "none":
            return None
        if kind == "current":
            return current if current is not None else (own or [42])[-1]
        if kind == "old":
            return next((receipt for receipt in own if receipt != current), 42)
        if kind == "foreign":
            return next((receipt for receipt in sorted(self.used) if receipt not in own), 42)
        return 42
