"""The verbs as the load calls them: plain SQL, by queue name or by clone, each noted with its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from tests_integration.torture.history import payload_hash
from tests_integration.torture.session import STATEMENT_BEGAN, STATEMENT_ENDS, Session

CLOCKS = f"{STATEMENT_BEGAN}, {STATEMENT_ENDS}"
READ_COLUMNS = (
    "msg_id, read_ct, release_ct, receipt, (extract(epoch from last_read_at) * 1000000)::bigint,"
    " (extract(epoch from vt) * 1000000)::bigint, message"
)


@dataclass(frozen=True, slots=True)
class Got:
    """A delivered message as far as its reader needs it."""

    msg_id: int
    receipt: int
    poison: bool = False


class Engine:
    """One queue through one session. `by_name` goes through the dispatchers, else through the clones."""

    def __init__(self, session: Session, queue: str, *, by_name: bool) -> None:
        self.session = session
        self._queue = queue
        self._by_name = by_name

    def send(
        self, payload: dict[str, Any], *, delay: float = 0, key: str | None = None, priority: int = 0
    ) -> int:
        """Send one message; return the number of the operation."""
        number, rows = self.session.call(
            "send",
            f"select array[f], {CLOCKS} from {self._verb('send')}message => %s, delay => %s * interval '1 s',"
            " key => %s, priority => %s) f",
            [Jsonb(payload), delay, key, priority],
            sends=[[payload["uid"], payload_hash(payload)]],
            delay=_micros(delay),
            key=key,
        )
        return self._note_sent(number, rows)

    def send_batch(self, payloads: Sequence[dict[str, Any]], *, delay: float = 0) -> int:
        number, rows = self.session.call(
            "send",
            f"select array_agg(f), {STATEMENT_BEGAN}, {STATEMENT_ENDS} from {self._verb('send_batch')}"
            "messages => %s, delay => %s * interval '1 s') f",
            [[Jsonb(payload) for payload in payloads], delay],
            sends=[[payload["uid"], payload_hash(payload)] for payload in payloads],
            delay=_micros(delay),
        )
        return self._note_sent(number, rows)

    def read(self, qty: int, vt: float | None, *, asynchronous: bool = False) -> list[Got]:
        number, rows = self.session.call(
            "read",
            f"select {READ_COLUMNS} from {self._verb('read')}vt => %s * interval '1 s', qty => %s, holder => 'torture')",
            [vt, qty],
            asynchronous=asynchronous,
            qty=qty,
        )
        return self._note_got(number, "read", rows)

    def pop(self, qty: int) -> list[Got]:
        """Pop; only for explicit transactions, so that a lost answer is a rollback."""
        assert self.session.tx is not None
        number, rows = self.session.call(
            "pop", f"select {READ_COLUMNS} from {self._verb('pop')}qty => %s)", [qty], qty=qty
        )
        return self._note_got(number, "pop", rows)

    def settle_batch(
        self, verb: str, got: Sequence[Got], *, seconds: float = 0, asynchronous: bool = False
    ) -> dict[int, str]:
        """Run delete, archive, bury, release, retry or set_vt over many leases; what became of each id."""
        ids = [one.msg_id for one in got]
        extra: dict[str, tuple[str, list[object]]] = {
            "bury": ("reasons => %s, ", [["torture"] * len(ids)]),
            "retry": ("delays => %s::interval[], ", [[f"{seconds} s"] * len(ids)]),
            "set_vt": ("vt => %s * interval '1 s', ", [seconds]),
        }
        clause, values = extra.get(verb, ("", []))
        number, rows = self.session.call(
            "settle",
            f"select o.msg_id, o.outcome, {CLOCKS} from {self._verb(verb + '_batch')}"
            f"msg_ids => %s, {clause}receipts => %s) o",
            [ids, *values, [one.receipt for one in got]],
            asynchronous=asynchronous,
            verb=verb,
            ids=ids,
            receipts=[one.receipt for one in got],
            hide=_micros(seconds),
        )
        return self._note_settled(number, ids, {row[0]: row[1] for row in rows}, rows)

    def settle(
        self, verb: str, one: Got, *, seconds: float = 0, asynchronous: bool = False, forged: bool = False
    ) -> str:
        """Run a verb over one lease. `forged` marks a receipt that nobody was ever given."""
        extra: dict[str, tuple[str, list[object]]] = {
            "bury": ("reason => %s, ", ["torture"]),
            "retry": ("delay => %s * interval '1 s', ", [seconds]),
            "set_vt": ("vt => %s * interval '1 s', ", [seconds]),
        }
        clause, values = extra.get(verb, ("", []))
        number, rows = self.session.call(
            "settle",
            f"select f, f, {CLOCKS} from {self._verb(verb)}msg_id => %s, {clause}receipt => %s) f",
            [one.msg_id, *values, one.receipt],
            asynchronous=asynchronous,
            verb=verb,
            ids=[one.msg_id],
            receipts=[one.receipt],
            hide=_micros(seconds),
            forged=forged,
        )
        return self._note_settled(number, [one.msg_id], {one.msg_id: rows[0][0]}, rows)[one.msg_id]

    def cancel(self, msg_id: int) -> str:
        """Delete by id, without a receipt."""
        number, rows = self.session.call(
            "settle",
            f"select f, f, {CLOCKS} from {self._verb('delete')}msg_id => %s) f",
            [msg_id],
            verb="cancel",
            ids=[msg_id],
            receipts=None,
            hide=0,
        )
        return self._note_settled(number, [msg_id], {msg_id: rows[0][0]}, rows)[msg_id]

    def _verb(self, name: str) -> str:
        """Open the call: with the queue as first argument, or the clone's name."""
        return (
            f"pgqueue.{name}(queue => '{self._queue}', "
            if self._by_name
            else f"pgqueue.{name}__{self._queue}("
        )

    def _note_sent(self, number: int, rows: list[tuple[Any, ...]]) -> int:
        ((ids, began, ended),) = rows
        self.session.note(number, "send", ids=ids, at=began, by=ended)
        return number

    def _note_got(self, number: int, op: str, rows: list[tuple[Any, ...]]) -> list[Got]:
        self.session.note(
            number, op, got=[[*row[:6], row[6].get("uid"), payload_hash(row[6])] for row in rows]
        )
        return [Got(row[0], row[3], "poison" in row[6]) for row in rows]

    def _note_settled(
        self, number: int, ids: list[int], outcomes: dict[int, str], rows: list[tuple[Any, ...]]
    ) -> dict[int, str]:
        self.session.note(
            number, "settle", outcomes=[outcomes.get(i) for i in ids], at=rows[0][2], by=rows[0][3]
        )
        return outcomes


def _micros(seconds: float) -> int:
    return int(seconds * 1_000_000)
