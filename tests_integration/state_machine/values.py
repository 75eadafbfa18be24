"""The values of the model: messages, dead letters, one queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Json = Any
DEFAULTS: dict[str, Json] = {
    "vt": 30, "health_stale": 60, "max_reads": 5, "repark_seconds": 300, "repark_budget": 5, "unknown_grace": 600,
    "backoff": {"base": 1, "factor": 2, "cap": 3600, "jitter": 0.2}, "batch": 100, "archive": False,
    "retention": 604800, "dead_retention": 0, "durability": "safe", "ack_commit": "async", "payload_limit": 1048576,
    "key_window": 86400,
    "rate_limit": 0, "rate_burst": 0, "max_in_flight": 0, "max_in_flight_per_key": 0,
}  # fmt: skip
LIMITS = {
    "vt": (0.1, 86400),
    "max_reads": (1, 1000000),
    "repark_budget": (0, 1000),
    "key_window": (60, 31536000),
}


class Refused(Exception):
    """The verb answers with this SQLSTATE and changes nothing."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def require(condition: object) -> None:
    if not condition:
        raise Refused("PQ002")


@dataclass
class Seen:
    """What the engine did, where a kind leaves it room: (msg_id, read_ct, release_ct) of what it handed out,
    the ids of its dead letters, and whether a transaction is open."""

    handed: list[tuple[int, int, int]]
    dead: set[int]
    in_transaction: bool


@dataclass
class Row:
    """A message that waits or runs."""

    msg_id: int
    message: Json
    headers: Json
    priority: int
    group_key: str | None
    enqueued_at: datetime
    vt: datetime
    read_ct: int = 0
    release_ct: int = 0
    receipt: int | None = None
    last_read_at: datetime | None = None
    holder: str | None = None
    error: str | None = None

    def lease(self, now: datetime, vt: timedelta, receipt: int, holder: str | None) -> None:
        self.read_ct += 1
        self.vt, self.last_read_at, self.receipt, self.holder = now + vt, now, receipt, holder

    def state(self, now: datetime) -> str:
        if self.vt <= now:
            return "ready"
        if self.receipt is not None:
            return "in_flight"
        return "delayed" if self.read_ct == 0 else "retry"


@dataclass
class DeadLetter:
    row: Row
    reason: str
    died_at: datetime
    redriven_as: int | None = None


class Ids:
    """A sequence: it stands outside of transactions, so a rollback's copy of a queue shares it."""

    def __init__(self, first: int) -> None:
        self.next = self.first = first

    def __deepcopy__(self, _memo: object) -> Ids:
        return self

    def draw(self) -> int:
        self.next += 1
        return self.next - 1

    @property
    def high_water(self) -> int:
        """What a drop remembers; the first id of a sequence that was never used counts as used."""
        return max(self.first, self.next - 1)


@dataclass
class Queue:
    """`loose`: messages of a log that may be on its row side, so that their turn is not known; see `log_model`.
    `strays`: those of them whose reader rolled back, which a log may count as read and released once more."""

    own: dict[str, Json]
    ids: Ids
    kind: str = "row"
    rows: dict[int, Row] = field(default_factory=dict)
    keys: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    archive: dict[int, tuple[Row, datetime]] = field(default_factory=dict)
    dead: dict[int, DeadLetter] = field(default_factory=dict)
    loose: set[int] = field(default_factory=set)
    strays: set[int] = field(default_factory=set)

    @property
    def settings(self) -> dict[str, Json]:
        return DEFAULTS | self.own

    @property
    def hard_cap(self) -> int:
        return int(self.settings["max_reads"] + self.settings["repark_budget"])

    def metrics(self, now: datetime) -> dict[str, Json]:
        """Count as the view `queues` does; oldest_at looks at the front of each priority only."""
        states = [row.state(now) for row in self.rows.values()]
        ready = [row for row in self.rows.values() if row.vt <= now]
        fronts = [
            min((row.vt, row.msg_id, row.enqueued_at) for row in ready if row.priority == level)[2]
            for level in {row.priority for row in ready}
        ]
        return {
            "kind": self.kind,
            "depth": len(states),
            "ready": len(ready),
            "delayed": states.count("delayed"),
            "in_flight": states.count("in_flight"),
            "retrying": states.count("retry"),
            "approx": False,
            "dead": sum(letter.redriven_as is None for letter in self.dead.values()),
            "oldest_at": min(fronts, default=None),
            "last_sent_at": self.rows[max(self.rows)].enqueued_at if self.rows else None,
            "last_msg_id": self.ids.next - 1,
            "settings": self.settings,
        }

    def level_below(self, level: int) -> int:
        return max((row.priority for row in self.rows.values() if 0 < row.priority < level), default=0)

    def visible(self, level: int, now: datetime, filter_: Json = None) -> list[Row]:
        """List what can be claimed at one priority, in claim order; of a group only its lowest id."""
        heads: dict[str, int] = {}
        for row in self.rows.values():
            if row.group_key is not None:
                heads[row.group_key] = min(row.msg_id, heads.get(row.group_key, row.msg_id))
        found = [
            row
            for row in self.rows.values()
            if row.priority == level and row.vt <= now and contains(row.message, filter_)
            if row.group_key is None or heads[row.group_key] == row.msg_id
        ]
        return sorted(found, key=lambda row: (row.vt, row.msg_id))


def contains(message: Json, filter_: Json) -> bool:
    """Say whether jsonb's @> holds; a filter is None or an object of scalars."""
    return filter_ is None or (
        isinstance(message, dict)
        and all(name in message and message[name] == filter_[name] for name in filter_)
    )


def check_settings(settings: dict[str, Json]) -> None:
    require(settings.keys() == DEFAULTS.keys())
    for name, (least, most) in LIMITS.items():
        require(least <= settings[name] <= most)
    require(settings["health_stale"] > settings["vt"])


def flat(
    place: str,
    name: str,
    row: Row,
    reason: str | None = None,
    ended_at: datetime | None = None,
    redriven_as: int | None = None,
    *,
    state: str | None = None,
) -> dict[str, Json]:
    """Shape a row as the comparison of whole queues wants it; `place` is live, archive or dead."""
    live = {} if place == "live" else {"vt": None, "receipt": None}
    ended = {"reason": reason, "ended_at": ended_at, "redriven_as": redriven_as}
    return {"place": place, "queue": name, "state": state} | vars(row) | live | ended
