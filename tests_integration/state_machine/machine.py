"""Random walks over the SQL surface: each step runs on the engine and on the model, and then everything is compared.

Two queues, one connection, a clock that only the walk moves, transactions and savepoints around any of it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests_integration.state_machine.comparison import equal
from tests_integration.state_machine.inputs import (
    BAD,
    BATCH_TAKES,
    LOW_CAP,
    NAMES,
    arguments,
    changes,
    delays,
    groups,
    keys,
    leases,
    payloads,
    priorities,
    quantities,
    queues,
    receipts,
    verbs,
)
from tests_integration.state_machine.log_model import LogModel
from tests_integration.state_machine.values import Json
from tests_integration.state_machine.walk import Walk


class QueueMachine(Walk):
    """The rules: what may happen next; and what has to hold after each."""

    # queues

    @initialize(parts=st.lists(st.tuples(payloads, keys, groups), min_size=3, max_size=5))
    def start_with_two_queues(self, parts: list[tuple[Any, ...]]) -> None:
        for name in NAMES:
            self.create(name, LOW_CAP)
            self.send_batch(name=name, parts=parts, keyed=False, grouped=False, delay=timedelta(), priority=0)

    @rule(
        action=st.sampled_from(("configure", "create", "drop", "peek", "refuse", "force", "purge")),
        name=st.sampled_from(("beta", "beta", "alpha", "gamma")),
        values=changes,
        case=st.sampled_from(sorted(BAD)),
    )
    def administer(self, action: str, name: str, values: dict[str, Json], case: str) -> None:
        if action == "configure":
            self.same(
                lambda: self.engine.configure_queue(name, values),
                lambda: self.model.configure_queue(name, values),
            )
        elif action == "create" and name in NAMES:
            self.create(name, {setting: value for setting, value in values.items() if value is not None})
        elif action == "refuse":
            equal(self.answer(lambda: BAD[case](self.engine)), "PQ002")
        elif action == "purge":
            if (
                self.same(lambda: self.engine.purge_queue(name), lambda: self.model.purge_queue(name))
                is not None
            ):
                self.ledger.forget_queue(name)
        elif action == "peek":
            for state in (None, "ready", "in_flight", "retry"):
                self.peek(name, 1, state)
        elif action in {"drop", "force"}:
            self.drop(name, force=action == "force")

    # producers

    @rule(name=queues, message=payloads, delay=delays, key=keys, group=groups, priority=priorities)
    def send(
        self, name: str, message: Json, delay: timedelta, key: str | None, group: str | None, priority: int
    ) -> None:
        self.same(
            lambda: self.engine.send(name, message, delay, key, group, priority),
            lambda: self.model.send_batch(
                name, [message], delay=delay, keys=[key], group_keys=[group], priority=priority
            )[0],
        )

    @rule(
        name=queues,
        parts=st.lists(st.tuples(payloads, keys, groups), max_size=4),
        keyed=st.booleans(),
        grouped=st.booleans(),
        delay=delays,
        priority=priorities,
    )
    def send_batch(
        self,
        name: str,
        parts: list[tuple[Any, ...]],
        keyed: bool,
        grouped: bool,
        delay: timedelta,
        priority: int,
    ) -> None:
        messages = [message for message, _, _ in parts]
        options: dict[str, Any] = {
            "delay": delay,
            "keys": [key for _, key, _ in parts] if keyed else None,
            "group_keys": [group for _, _, group in parts] if grouped else None,
            "priority": priority,
        }
        self.same(
            lambda: self.engine.send_batch(name, messages, **options),
            lambda: self.model.send_batch(name, messages, **options),
        )

    @precondition(lambda self: any(queue.dead for queue in self.model.queues.values()))
    @rule(name=queues, places=st.none() | st.lists(st.integers(0, 5), max_size=3))
    def redrive(self, name: str, places: list[int] | None) -> None:
        ids = None if places is None else [self.pick(name, place) for place in places]
        self.same(lambda: self.engine.redrive(name, ids), lambda: self.model.redrive(name, ids))

    # consumers

    @rule(
        name=queues,
        vt=leases,
        qty=quantities,
        wanted=st.sampled_from((None, None, None, {"n": 1}, {"m": "é"})),
        holder=st.sampled_from((None, "w1", "w2")),
    )
    def read_some(self, name: str, vt: timedelta | None, qty: int, wanted: Json, holder: str | None) -> None:
        self.read(name, vt, qty, wanted, holder)

    @rule(name=queues, qty=st.sampled_from((1, 1, 2)))
    def pop_some(self, name: str, qty: int) -> None:
        self.pop(name, qty)

    @rule(
        name=queues,
        qty=quantities,
        verb=verbs,
        kind=receipts,
        given=arguments,
        pause=st.sampled_from((0, 30, 31)),
    )
    def work(self, name: str, qty: int, verb: str, kind: str, given: dict[str, Any], pause: int) -> None:
        """Do what a consumer does: read, take a while, settle one by its own or by another receipt."""
        self.read(name, None, qty, None, "w3")
        self.move_clock(timedelta(seconds=pause))
        self.settle(name, verb, 0, kind, given)
        self.settle(name, verb, 0, "old", given)

    @precondition(lambda self: self.ledger.used)
    @rule(name=queues, verb=verbs, place=st.integers(0, 6), kind=receipts, given=arguments)
    def settle_one(self, name: str, verb: str, place: int, kind: str, given: dict[str, Any]) -> None:
        self.settle(name, verb, place, kind, given)

    @precondition(lambda self: self.ledger.used)
    @rule(
        name=queues,
        verb=verbs,
        chosen=st.lists(st.tuples(st.integers(0, 6), receipts), max_size=4),
        fenced=st.sampled_from((True, True, False)),
        given=arguments,
    )
    def settle_batch(
        self, name: str, verb: str, chosen: list[tuple[int, str]], fenced: bool, given: dict[str, Any]
    ) -> None:
        ids = [self.pick(name, place) for place, _ in chosen]
        proofs = [self.receipt(name, msg_id, kind) for msg_id, (_, kind) in zip(ids, chosen, strict=True)]
        more = {argument: given[argument] for argument in BATCH_TAKES.get(verb, ())}
        arrays = (
            more if verb == "set_vt" else {f"{given}s": [value] * len(ids) for given, value in more.items()}
        )
        outcomes = self.same(
            lambda: self.engine.settle_batch(verb, name, ids, proofs if fenced else None, **arrays),
            lambda: self.expected(verb, name, ids, proofs if fenced else None, more),
        )
        self.note(verb, name, outcomes or {}, more)

    # time and transactions

    @rule(step=st.sampled_from(("next", "exactly", "after", "zero", "before", "next", "after", "far")))
    def advance(self, step: str) -> None:
        """Move by the queue's vt, a second less or more; onto the next vt there is; or far over every window."""
        vt = float(self.model.queues["alpha"].settings["vt"]) if "alpha" in self.model.queues else 30.0
        to_come = [
            row.vt - self.model.now
            for queue in self.model.queues.values()
            for row in queue.rows.values()
            if row.vt > self.model.now
        ]
        by = {
            "zero": timedelta(),
            "before": timedelta(seconds=vt - 1),
            "exactly": timedelta(seconds=vt),
            "after": timedelta(seconds=vt + 1),
            "next": min(to_come, default=timedelta(seconds=61)),
            "far": timedelta(days=2),
        }[step]
        self.move_clock(by)

    @precondition(lambda self: len(self.saves) < 3)
    @rule()
    def enter(self) -> None:
        """Begin a transaction; inside of one, set a savepoint."""
        self.engine.enter(len(self.saves))
        self.saves.append((self.model.saved(), self.ledger.saved()))

    @precondition(lambda self: self.saves)
    @rule(keep=st.booleans())
    def leave(self, keep: bool) -> None:
        self.step_back(keep=keep)

    # what holds after each step

    @invariant()
    def engine_and_model_hold_the_same(self) -> None:
        rows = self.engine.rows(self.model.queues)
        if isinstance(self.model, LogModel):
            self.model.learn(rows)
        equal(rows, self.model.snapshot())
        self.same_metrics()
        self.ledger.check(rows, self.model.now)
        assert self.engine.in_transaction == bool(self.saves)

    def same_metrics(self) -> None:
        got, wanted = self.engine.metrics(), self.model.metrics()
        if self.engine.kind == "log":
            # The two instants are those of what stands at the ends of the log and of its row side.
            for figures in (*got.values(), *wanted.values()):
                del figures["oldest_at"], figures["last_sent_at"]
        equal(got, wanted)

    @invariant()
    def every_message_is_in_one_place_with_a_cause(self) -> None:
        held = [(row["queue"], row["msg_id"]) for row in self.model.snapshot()]
        assert len(held) == len(set(held))
        assert not self.model.ended.keys() & set(held)
        assert self.model.ended.keys() | set(held) == self.model.sent
