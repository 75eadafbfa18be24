"""What a queue of kind `log` promises where that is not what kind `row` does: the order, and how a lost read is counted.

The model can't tell which message the log has already moved to its row side, so here it checks what the engine handed
out in place of foretelling it. A message is fresh while it stands in the log, unread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from tests_integration.state_machine.comparison import Difference
from tests_integration.state_machine.model import Model, Receipts
from tests_integration.state_machine.values import Json, Queue, Refused, Row, Seen, require


class LogModel(Model):
    kind = "log"

    def send_batch(self, name: str, messages: Sequence[Json], **options: Any) -> list[int]:
        queue = self.queue(name)
        require(timedelta() <= options["delay"] <= timedelta(days=366) and 0 <= options["priority"] <= 9)
        if messages and any(group is not None for group in options["group_keys"] or ()):
            raise Refused("PQ008")
        first = queue.ids.next
        answers = super().send_batch(name, messages, **options)
        if options["delay"] or options["priority"]:
            queue.loose.update(range(first, queue.ids.next))
        return answers

    def redrive(self, name: str, msg_ids: Sequence[int] | None) -> list[tuple[int, int]]:
        pairs = super().redrive(name, msg_ids)
        self.queue(name).loose.update(new for _, new in pairs)
        return pairs

    def read(
        self,
        name: str,
        vt: timedelta | None,
        qty: int,
        filter_: Json,
        holder: str | None,
        receipt: int,
        seen: Seen | None = None,
    ) -> list[Row]:
        queue = self.queue(name)
        vt = timedelta(seconds=queue.settings["vt"]) if vt is None else vt
        require(timedelta(seconds=0.1) <= vt <= timedelta(days=1) and 1 <= qty <= 1000)
        if filter_ is not None:
            raise Refused("PQ008")
        assert seen is not None
        rows = self._handed(name, qty, seen)
        if any(row.read_ct - row.release_ct >= queue.hard_cap for row in rows):
            raise Difference(f"handed out past the hard cap: {rows}")
        self._bury_as_seen(queue, seen)
        self._nothing_is_kept_back(queue, rows, seen)
        for row in rows:
            row.lease(self.now, vt, receipt, holder)
        return rows

    def pop(self, name: str, qty: int, seen: Seen | None = None) -> list[Row]:
        queue = self.queue(name)
        require(1 <= qty <= 1000)
        assert seen is not None
        rows = self._handed(name, qty, seen)
        self._bury_as_seen(queue, seen)
        self._nothing_is_kept_back(queue, rows, seen)
        for row in rows:
            self._end(name, row, "popped")
        return rows

    def learn(self, rows: list[dict[str, Json]]) -> None:
        """Count a stray as the engine does, once it does: as a read that was released."""
        for row in rows:
            if row["queue"] in self.queues:
                self._learn(self.queues[row["queue"]], row["msg_id"], row["read_ct"], row["release_ct"])

    def rolled_back(self, undone: Model) -> None:
        """Note what the undone steps may have done to the log all the same: its cursor doesn't roll back."""
        for name, queue in self.queues.items():
            after = undone.queues.get(name)  # none where the queue itself was dropped
            for msg_id, row in queue.rows.items():
                same = after is not None and after.rows.get(msg_id) == row and msg_id not in after.strays
                if row.read_ct == 0 and not same:
                    queue.strays.add(msg_id)
                    queue.loose.add(msg_id)

    def _handed(self, name: str, qty: int, seen: Seen) -> list[Row]:
        queue = self.queue(name)
        ids = [msg_id for msg_id, _, _ in seen.handed]
        wrong = [i for i in ids if i not in queue.rows or queue.rows[i].vt > self.now]
        if wrong or len(set(ids)) < len(ids) or len(ids) > qty:
            raise Difference(f"handed out {ids} for qty {qty}, of these not visible: {wrong}")
        for msg_id, read_ct, release_ct in seen.handed:
            self._learn(queue, msg_id, read_ct - 1, release_ct)
        rows = [queue.rows[msg_id] for msg_id in ids]
        if not any(self._in_order(queue, rows[:place], rows[place:]) for place in range(len(rows) + 1)):
            raise Difference(f"out of order: {rows}")
        return rows

    def _in_order(self, queue: Queue, aside: list[Row], log: list[Row]) -> bool:
        """Say whether it may be that `aside` came from the row side and `log`, after it, from the log."""
        if any(self._is_fresh(queue, row) for row in aside) or any(row.read_ct for row in log):
            return False
        fresh = [msg_id for msg_id, row in sorted(queue.rows.items()) if self._is_fresh(queue, row)]
        taken = [row.msg_id for row in log]
        firsts = [msg_id for msg_id in fresh if log and msg_id <= taken[-1]]
        return taken == sorted(taken) and set(firsts) <= set(taken) and self._in_order_aside(aside)

    def _in_order_aside(self, rows: list[Row]) -> bool:
        """What the row side had comes before the expired claims that the same read moves there: each part in claim order."""
        parts = [(rows[:place], rows[place:]) for place in range(len(rows) + 1)]
        return any(
            all(part == sorted(part, key=lambda row: (-row.priority, row.vt, row.msg_id)) for part in pair)
            and all(row.receipt is not None for row in pair[1])
            for pair in parts
        )

    def _is_fresh(self, queue: Queue, row: Row) -> bool:
        return row.read_ct == 0 and row.msg_id not in queue.loose

    def _bury_as_seen(self, queue: Queue, seen: Seen) -> None:
        for row in list(queue.rows.values()):
            doomed = row.vt <= self.now and row.read_ct - row.release_ct >= queue.hard_cap
            if doomed and row.msg_id in seen.dead:
                self._bury(queue, row, "hard_cap")

    def may_hide(self, name: str) -> bool:
        """Say whether all that is visible lost its reader: a read that comes back empty leaves it to the next one."""
        queue = self.queues.get(name)
        visible = [row for row in queue.rows.values() if row.vt <= self.now] if queue else []
        return queue is not None and bool(visible) and all(row.msg_id in queue.loose for row in visible)

    def _nothing_is_kept_back(self, queue: Queue, rows: list[Row], seen: Seen) -> None:
        """A read that comes back empty has left nothing; in an open transaction what it lost before may wait."""
        kept = [
            row.msg_id
            for row in queue.rows.values()
            if row.vt <= self.now and not (seen.in_transaction and row.msg_id in queue.loose)
        ]
        if kept and not rows:
            raise Difference(f"handed out nothing, and kept back {kept}")

    def _learn(self, queue: Queue, msg_id: int, read_ct: int, release_ct: int) -> None:
        archived = [queue.archive[msg_id][0]] if msg_id in queue.archive else []
        buried = [queue.dead[msg_id].row] if msg_id in queue.dead else []
        for row in [queue.rows[msg_id]] if msg_id in queue.rows else [*archived, *buried]:
            if msg_id in queue.strays and (read_ct, release_ct) == (row.read_ct + 1, row.release_ct + 1):
                row.read_ct, row.release_ct = read_ct, release_ct
                queue.strays.discard(msg_id)

    def _settle(
        self,
        name: str,
        ids: Sequence[int],
        receipts: Receipts,
        apply: Callable[[Queue, Row], None],
        *,
        leased_only: bool = False,
    ) -> dict[int, str]:
        if receipts is None:
            self.queue(name).loose.update(ids)  # what is named without a proof may go to the row side
        return super()._settle(name, ids, receipts, apply, leased_only=leased_only)
