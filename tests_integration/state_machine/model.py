"""What queues of kind `row` promise, as plain Python over dicts: the yardstick for the engines. The log: `log_model`.

Each verb does what the SQL verb of its name does; `now` is moved by hand. Nothing here is fast or concurrent.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tests_integration.state_machine.values import (
    DEFAULTS,
    DeadLetter,
    Ids,
    Json,
    Queue,
    Refused,
    Row,
    Seen,
    check_settings,
    flat,
    require,
)

Receipts = Sequence[int | None] | None


class Model:
    """All queues of one database. `ended` says why a message that is nowhere any more is gone."""

    kind = "row"

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.queues: dict[str, Queue] = {}
        self.marks: dict[str, int] = {}
        self.sent: set[tuple[str, int]] = set()
        self.ended: dict[tuple[str, int], str] = {}

    def saved(self) -> Model:
        return copy.deepcopy(self)

    def queue(self, name: str) -> Queue:
        if name not in self.queues:
            raise Refused("PQ001")
        return self.queues[name]

    def metrics(self) -> dict[str, dict[str, Json]]:
        return {name: queue.metrics(self.now) for name, queue in sorted(self.queues.items())}

    def snapshot(self) -> list[dict[str, Json]]:
        """List every row of every queue, by place, queue and id."""
        rows = []
        for name, queue in self.queues.items():
            rows += [flat("live", name, row, state=row.state(self.now)) for row in queue.rows.values()]
            rows += [flat("archive", name, row, "archived", ended) for row, ended in queue.archive.values()]
            rows += [
                flat("dead", name, letter.row, letter.reason, letter.died_at, letter.redriven_as)
                for letter in queue.dead.values()
            ]
        return sorted(rows, key=lambda row: (row["place"], row["queue"], row["msg_id"]))

    # queues

    def create_queue(self, name: str, settings: dict[str, Json]) -> None:
        check_settings(DEFAULTS | settings)
        if name in self.queues:
            if self.queues[name].settings != DEFAULTS | settings:
                raise Refused("PQ004")
            return
        self.queues[name] = Queue(dict(settings), Ids(self.marks.get(name, 0) + 1), self.kind)

    def drop_queue(self, name: str, *, force: bool) -> bool:
        if name not in self.queues:
            return False
        queue = self.queues[name]
        if not force and (queue.rows or any(letter.redriven_as is None for letter in queue.dead.values())):
            raise Refused("PQ005")
        for msg_id in [*queue.rows, *queue.archive, *queue.dead]:
            self.ended[name, msg_id] = "dropped"
        self.marks[name] = max(self.marks.get(name, 0), queue.ids.high_water)
        del self.queues[name]
        return True

    def purge_queue(self, name: str) -> int:
        rows = self.queue(name).rows
        count = len(rows)
        self.ended.update(((name, msg_id), "purged") for msg_id in rows)
        rows.clear()
        return count

    def configure_queue(self, name: str, settings: dict[str, Json]) -> dict[str, Json]:
        queue = self.queue(name)
        own = {key: value for key, value in (queue.own | settings).items() if value is not None}
        check_settings(DEFAULTS | own)
        queue.own = own
        return queue.settings

    # producers

    def send_batch(
        self,
        name: str,
        messages: Sequence[Json],
        *,
        delay: timedelta = timedelta(),
        keys: Sequence[str | None] | None = None,
        group_keys: Sequence[str | None] | None = None,
        priority: int = 0,
    ) -> list[int]:
        queue = self.queue(name)
        require(timedelta() <= delay <= timedelta(days=366) and 0 <= priority <= 9)
        drawn = [queue.ids.draw() for _ in messages]
        answers: list[int] = []
        for place, (msg_id, message) in enumerate(zip(drawn, messages, strict=True)):
            first = self._first_of_key(queue, keys[place] if keys else None, msg_id)
            if first == msg_id:
                group = group_keys[place] if group_keys else None
                self._insert(name, Row(msg_id, message, None, priority, group, self.now, self.now + delay))
            answers.append(first)
        return answers

    def redrive(self, name: str, msg_ids: Sequence[int] | None) -> list[tuple[int, int]]:
        queue = self.queue(name)
        pairs = []
        for old, letter in sorted(queue.dead.items()):
            if letter.redriven_as is None and (msg_ids is None or old in msg_ids):
                letter.redriven_as = queue.ids.draw()
                headers = (letter.row.headers or {}) | {"pgqueue-redriven-from": old}
                row = letter.row
                new = Row(
                    letter.redriven_as, row.message, headers, row.priority, row.group_key, self.now, self.now
                )
                self._insert(name, new)
                pairs.append((old, letter.redriven_as))
        return pairs

    def _first_of_key(self, queue: Queue, key: str | None, msg_id: int) -> int:
        if key is None:
            return msg_id
        first, expires_at = queue.keys.get(key, (msg_id, self.now))
        if expires_at <= self.now:
            first = msg_id
            queue.keys[key] = (msg_id, self.now + timedelta(seconds=queue.settings["key_window"]))
        return first

    def _insert(self, name: str, row: Row) -> None:
        if (name, row.msg_id) in self.sent:
            raise AssertionError(f"id {row.msg_id} of {name} was used before")
        self.sent.add((name, row.msg_id))
        self.queues[name].rows[row.msg_id] = row

    # consumers

    def read(
        self,
        name: str,
        vt: timedelta | None,
        qty: int,
        filter_: Json,
        holder: str | None,
        receipt: int,
        _seen: Seen | None = None,
    ) -> list[Row]:
        """Lease in rounds, a priority at a time; a round that buried past the hard cap is repeated to fill up."""
        queue = self.queue(name)
        vt = timedelta(seconds=queue.settings["vt"]) if vt is None else vt
        require(timedelta(seconds=0.1) <= vt <= timedelta(days=1) and 1 <= qty <= 1000)
        leased: list[Row] = []
        level = 10
        while len(leased) < qty:
            level = queue.level_below(level)
            picked = queue.visible(level, self.now, filter_)[: qty - len(leased)]
            doomed = [row for row in picked if row.read_ct - row.release_ct >= queue.hard_cap]
            for row in picked:
                if row in doomed:
                    self._bury(queue, row, "hard_cap")
                    continue
                row.lease(self.now, vt, receipt, holder)
                leased.append(row)
            if doomed:
                level += 1
            elif level == 0:
                break
        return leased

    def pop(self, name: str, qty: int, _seen: Seen | None = None) -> list[Row]:
        queue = self.queue(name)
        require(1 <= qty <= 1000)
        popped: list[Row] = []
        level = 10
        while len(popped) < qty and level > 0:
            level = queue.level_below(level)
            for row in queue.visible(level, self.now)[: qty - len(popped)]:
                self._end(name, row, "popped")
                popped.append(row)
        return popped

    def delete(self, name: str, ids: Sequence[int], receipts: Receipts) -> dict[int, str]:
        return self._settle(name, ids, receipts, lambda _queue, row: self._end(name, row, "deleted"))

    def archive(self, name: str, ids: Sequence[int], receipts: Receipts) -> dict[int, str]:
        def keep(queue: Queue, row: Row) -> None:
            queue.archive[row.msg_id] = (queue.rows.pop(row.msg_id), self.now)

        return self._settle(name, ids, receipts, keep)

    def set_vt(self, name: str, ids: Sequence[int], receipts: Receipts, vt: timedelta) -> dict[int, str]:
        self.queue(name)
        require(timedelta(seconds=0.1) <= vt <= timedelta(days=1))

        def move(_queue: Queue, row: Row) -> None:
            row.vt = self.now + vt

        return self._settle(name, ids, receipts, move)

    def retry(
        self,
        name: str,
        ids: Sequence[int],
        receipts: Receipts,
        delay: timedelta,
        error: str | None,
    ) -> dict[int, str]:
        self.queue(name)
        require(not ids or delay >= timedelta())

        def postpone(_queue: Queue, row: Row) -> None:
            row.vt, row.receipt, row.error = self.now + delay, None, error or row.error

        return self._settle(name, ids, receipts, postpone)

    def release(
        self, name: str, ids: Sequence[int], receipts: Receipts, delay: timedelta = timedelta()
    ) -> dict[int, str]:
        self.queue(name)
        require(not ids or delay >= timedelta())

        def give_back(_queue: Queue, row: Row) -> None:
            row.vt, row.receipt = self.now + delay, None
            row.release_ct += 1

        return self._settle(name, ids, receipts, give_back, leased_only=True)

    def bury(
        self,
        name: str,
        ids: Sequence[int],
        receipts: Receipts,
        reason: str,
        error: str | None,
    ) -> dict[int, str]:
        self.queue(name)
        require(not ids or reason)

        def inter(queue: Queue, row: Row) -> None:
            row.error = error or row.error
            self._bury(queue, row, reason)

        return self._settle(name, ids, receipts, inter)

    def _settle(
        self,
        name: str,
        ids: Sequence[int],
        receipts: Receipts,
        apply: Callable[[Queue, Row], None],
        *,
        leased_only: bool = False,
    ) -> dict[int, str]:
        queue = self.queue(name)
        proofs = None if receipts is None else set(zip(ids, receipts, strict=True))
        outcomes = {}
        for msg_id in sorted(set(ids)):
            row = queue.rows.get(msg_id)
            if row is None:
                outcomes[msg_id] = "gone"
            elif ((proofs is not None or leased_only) and row.receipt is None) or (
                proofs is not None and (msg_id, row.receipt) not in proofs
            ):
                outcomes[msg_id] = "stale"
            else:
                apply(queue, row)
                outcomes[msg_id] = "done"
        return outcomes

    def _bury(self, queue: Queue, row: Row, reason: str) -> None:
        queue.dead[row.msg_id] = DeadLetter(queue.rows.pop(row.msg_id), reason, self.now)

    def _end(self, name: str, row: Row, cause: str) -> None:
        del self.queues[name].rows[row.msg_id]
        self.ended[name, row.msg_id] = cause
