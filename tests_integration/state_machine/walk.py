"""One step of a walk: done on the engine and on the model, and the answers compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from tests_integration.fixtures.clock import START, Clock
from tests_integration.state_machine.comparison import equal, handed
from tests_integration.state_machine.engine import Handed, SqlEngine
from tests_integration.state_machine.inputs import LOW_CAP, NAMES, TAKES
from tests_integration.state_machine.ledger import Ledger
from tests_integration.state_machine.log_model import LogModel
from tests_integration.state_machine.model import Model
from tests_integration.state_machine.values import Json, Refused, Seen

T = TypeVar("T")


class Walk(RuleBasedStateMachine):
    """`engine` and `clock` belong to a database of the test; every walk leaves them as it found them."""

    def __init__(self, engine: SqlEngine, clock: Clock) -> None:
        super().__init__()
        self.engine = engine
        self.clock = clock
        self.model = LogModel(START) if engine.kind == "log" else Model(START)
        self.ledger = Ledger()
        self.saves: list[tuple[Model, Ledger]] = []
        clock.set(START)
        engine.steady()

    def teardown(self) -> None:
        while self.saves:
            self.step_back(keep=False)
        self.engine.reset(NAMES, LOW_CAP)

    def read(self, name: str, vt: timedelta | None, qty: int, wanted: Json, holder: str | None) -> None:
        got = self.twice(name, lambda: self.engine.read(name, vt, qty, wanted, holder))
        shown = set() if isinstance(got, str) else {row[2] for row in got if row[2] is not None}
        receipt = next(iter(shown), 0)
        seen = self.seen(name, got)
        rows = self.answer(lambda: self.model.read(name, vt, qty, wanted, holder, receipt, seen))
        equal(got, rows if isinstance(rows, str) else [handed(row) for row in rows])
        if not isinstance(rows, str) and rows:
            self.ledger.lease([(name, row.msg_id) for row in rows], shown, rows[0].vt)
            assert all(row.read_ct - row.release_ct <= self.model.queue(name).hard_cap for row in rows)

    def pop(self, name: str, qty: int) -> None:
        got = self.twice(name, lambda: self.engine.pop(name, qty))
        seen = self.seen(name, got)
        rows = self.answer(lambda: self.model.pop(name, qty, seen))
        shown = [
            (*handed(row)[:1], row.read_ct + 1, None, *handed(row)[3:])
            for row in rows
            if not isinstance(row, str)
        ]
        equal(got, rows if isinstance(rows, str) else shown)

    def twice(self, name: str, read: Callable[[], list[Handed]]) -> list[Handed] | str:
        """Read; and where a log may come back empty, once more."""
        got = self.answer(read)
        if got == [] and isinstance(self.model, LogModel) and self.model.may_hide(name):
            return self.answer(read)
        return got

    def seen(self, name: str, got: list[Handed] | str) -> Seen:
        """Tell the model what it can't foresee on a log."""
        rows = [] if isinstance(got, str) else [(row[0], row[1], row[5]) for row in got]
        dead = self.engine.dead_ids(name) if self.engine.kind == "log" else set()
        return Seen(rows, dead, self.engine.in_transaction)

    def answer(self, call: Callable[[], T]) -> T | str:
        """Return what a verb answers, or the SQLSTATE with which it refuses."""
        try:
            return call()
        except Refused as refused:
            return refused.sqlstate

    def same(self, call: Callable[[], T], expected: Callable[[], T]) -> T | None:
        """Run a step on both sides; None when both refuse it alike."""
        got = self.answer(call)
        refused = False
        try:
            wanted: T | str = expected()
        except Refused as error:
            wanted, refused = error.sqlstate, True
        equal(got, wanted)
        return None if refused else got  # type: ignore[return-value]

    def settle(self, name: str, verb: str, place: int, kind: str, given: dict[str, Any]) -> None:
        msg_id = self.pick(name, place)
        receipt = self.receipt(name, msg_id, kind)
        more = {argument: given[argument] for argument in TAKES.get(verb, ())}
        proofs: list[int | None] | None = None if receipt is None else [receipt]
        outcome = self.same(
            lambda: self.engine.settle_one(verb, name, msg_id, receipt, **more),
            lambda: self.expected(verb, name, [msg_id], proofs, more)[msg_id],
        )
        self.note(verb, name, {msg_id: outcome}, more)

    def pick(self, name: str, place: int) -> int:
        """Choose an id: leased ones first, then the others that live, then those that were."""
        rows = self.model.queues[name].rows if name in self.model.queues else {}
        leased = [msg_id for msg_id, row in rows.items() if row.receipt is not None]
        others = [msg_id for msg_id, row in rows.items() if row.receipt is None]
        past = sorted(msg_id for queue, msg_id in self.model.sent if queue == name and msg_id not in rows)
        known = [*leased, *others, *reversed(past), 999]
        return known[place % len(known)]

    def receipt(self, name: str, msg_id: int, kind: str) -> int | None:
        rows = self.model.queues[name].rows if name in self.model.queues else {}
        current = rows[msg_id].receipt if msg_id in rows else None
        return self.ledger.receipt(kind, (name, msg_id), current)

    def expected(
        self, verb: str, name: str, ids: list[int], proofs: list[int | None] | None, more: dict[str, Any]
    ) -> dict[int, str]:
        outcomes: dict[int, str] = getattr(self.model, verb)(name, ids, proofs, *more.values())
        return outcomes

    def note(self, verb: str, name: str, outcomes: Mapping[int, str | None], more: dict[str, Any]) -> None:
        until = self.model.now + more["vt"] if verb == "set_vt" else None
        self.ledger.settle(name, {i: outcome for i, outcome in outcomes.items() if outcome}, until)

    def move_clock(self, by: timedelta) -> None:
        self.model.now += by
        self.clock.set(self.model.now)

    def step_back(self, *, keep: bool) -> None:
        """Commit or release the innermost; or roll it back, with everything since. Time goes on either way."""
        now = self.model.now
        model, ledger = self.saves.pop()
        self.engine.leave(len(self.saves), keep=keep)
        if not keep:
            undone = self.model
            self.model, self.ledger = model, ledger
            self.model.now = now
            if isinstance(self.model, LogModel):
                self.model.rolled_back(undone)

    def peek(self, name: str, after: int, state: str | None) -> None:
        def expected() -> list[int]:
            rows = self.model.queue(name).rows
            return [i for i in sorted(rows) if i > after and state in (None, rows[i].state(self.model.now))][
                :2
            ]

        self.same(lambda: self.engine.peek(name, state, after, 2), expected)

    def create(self, name: str, values: dict[str, Json]) -> None:
        self.same(
            lambda: self.engine.create_queue(name, values), lambda: self.model.create_queue(name, values)
        )

    def drop(self, name: str, *, force: bool) -> None:
        dropped = self.same(
            lambda: self.engine.drop_queue(name, force=force),
            lambda: self.model.drop_queue(name, force=force),
        )
        if dropped:
            self.ledger.forget_queue(name)
