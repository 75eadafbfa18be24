"""A barrier in its smallest steps: rows with locks, transactions that see what is committed, and a crash anywhere.

Each step locks at most one row and reads it under that lock, as an UPDATE of Postgres does at read committed. So a model
of a few actors has a few thousand states, and all of them are visited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

LIVE, DONE, FAILED, EXPIRED, ABORTED, REPLACED = "live", "done", "failed", "expired", "aborted", "replaced"
OPEN = "open"
CALLBACK, FAILURE, TOO_EARLY = "callback", "failure", "callback while a part is open"
Rows = Mapping[
    str, Any
]  # m0: the message of part 0 is there; p0: the state of part 0; b: that of the barrier; open
End = tuple[str, tuple[str, ...]]  # state of the barrier, and what it has sent
ENDS: frozenset[End] = frozenset(
    {(DONE, (CALLBACK,)), (REPLACED, ()), *((state, (FAILURE,)) for state in (FAILED, EXPIRED, ABORTED))}
)


@dataclass
class Transaction:
    """What one actor sees: its own writes above what is committed. `notes` are its own and need no commit."""

    rows: Rows
    writes: dict[str, Any] = field(default_factory=dict)
    sent: tuple[str, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, row: str) -> Any:
        return self.writes.get(row, self.rows[row])

    def __setitem__(self, row: str, value: Any) -> None:
        self.writes[row] = value

    def end(self, state: str, message: str | None) -> None:
        self["b"] = state
        if message == CALLBACK and any(self[row] == OPEN for row in self.rows if row.startswith("p")):
            message = TOO_EARLY
        self.sent += () if message is None else (message,)


@dataclass(frozen=True)
class Step:
    """`act` answers whether the actor goes on; else its transaction is committed. `lock`: the row it waits for."""

    act: Callable[[Transaction], bool]
    lock: str | None = None
    commits: bool = False


Program = tuple[Step, ...]


@dataclass(frozen=True)
class Actor:
    """Where an actor is: its next step, what it has not committed, which rows it has locked."""

    program: Program
    place: int = 0
    writes: tuple[tuple[str, Any], ...] = ()
    sent: tuple[str, ...] = ()
    notes: tuple[tuple[str, Any], ...] = ()
    locks: frozenset[str] = frozenset()

    @property
    def over(self) -> bool:
        return self.place > len(self.program)


@dataclass(frozen=True)
class World:
    rows: tuple[tuple[str, Any], ...]
    sent: tuple[str, ...]
    actors: tuple[Actor, ...]
    deaths: int = 0


class Deadlock(Exception):
    """Actors wait for each other."""


# --- the programs


def ack(number: int) -> Program:
    """Ack a part's message and let it arrive."""
    return (_take(number), _end_part(number, DONE), Step(_count_down, "b"))


def bury(number: int) -> Program:
    """Bury a part's message, under the policy abort."""
    return (_take(number), _end_part(number, FAILED), Step(_end_live(FAILED, FAILURE), "b"))


def abort() -> Program:
    return (Step(_end_live(ABORTED, FAILURE), "b"),)


def replace_it() -> Program:
    """Arm a new generation of the key."""
    return (Step(_end_live(REPLACED, None), "b"),)


def sweep() -> Program:
    """Expire a barrier past its deadline: look, and ask again under the lock."""
    return (Step(lambda tx: tx["b"] == LIVE), Step(_end_live(EXPIRED, FAILURE), "b"))


def ack_without_member(number: int) -> Program:
    """A mutant: every ack counts down, whether its part had ended or not."""

    def end_part(tx: Transaction) -> bool:
        tx[f"p{number}"] = DONE
        return True

    return (Step(lambda _: True, f"m{number}"), Step(end_part, f"p{number}"), Step(_count_down, "b"))


def ack_that_counts_before_the_lock(number: int) -> Program:
    """A mutant: what is left is read before the barrier's row is locked."""

    def look(tx: Transaction) -> bool:
        tx.notes["open"] = tx["open"]
        return True

    def count(tx: Transaction) -> bool:
        tx["open"] -= 1
        if tx["b"] == LIVE and tx.notes["open"] == 1:
            tx.end(DONE, CALLBACK)
        return True

    return (_take(number), _end_part(number, DONE), Step(look), Step(count, "b"))


def ack_that_sends_after_the_commit(number: int) -> Program:
    """A mutant: the callback is sent by another transaction than the last arrival."""

    def count(tx: Transaction) -> bool:
        _count_down(tx)
        tx.notes["fire"], tx.sent = bool(tx.sent), ()
        return True

    def fire(tx: Transaction) -> bool:
        tx.sent += (CALLBACK,) if tx.notes["fire"] else ()
        return True

    return (_take(number), _end_part(number, DONE), Step(count, "b", commits=True), Step(fire))


def sweep_without_asking_again() -> Program:
    """A mutant: what was read as live is expired."""

    def expire(tx: Transaction) -> bool:
        tx.end(EXPIRED, FAILURE)
        return True

    return (Step(lambda tx: tx["b"] == LIVE), Step(expire, "b"))


def _take(number: int) -> Step:
    def act(tx: Transaction) -> bool:
        there = tx[f"m{number}"]
        tx[f"m{number}"] = False
        return bool(there)

    return Step(act, f"m{number}")


def _end_part(number: int, state: str) -> Step:
    def act(tx: Transaction) -> bool:
        if tx[f"p{number}"] != OPEN:
            return False
        tx[f"p{number}"] = state
        return True

    return Step(act, f"p{number}")


def _count_down(tx: Transaction) -> bool:
    if tx["b"] == LIVE:
        tx["open"] -= 1
        if tx["open"] == 0:
            tx.end(DONE, CALLBACK)
    return True


def _end_live(state: str, message: str | None) -> Callable[[Transaction], bool]:
    def act(tx: Transaction) -> bool:
        if tx["b"] == LIVE:
            tx.end(state, message)
        return True

    return act


# --- all that can happen


def ends(
    parts: int, *programs: Program, due: bool = False, most_deaths: int | None = None
) -> tuple[set[End], int]:
    """Return every end that these actors can bring about, and how many states were visited.

    Each actor (or `most_deaths` of them) may die before each of its steps, which rolls it back. Afterwards what is left
    is delivered again, and a barrier past its deadline (`due`) is swept. Raises: Deadlock.
    """
    rows = {f"m{n}": True for n in range(parts)} | {f"p{n}": OPEN for n in range(parts)}
    start = World(
        _frozen(rows | {"b": LIVE, "open": parts}), (), tuple(Actor(program) for program in programs)
    )
    seen, todo, found = {start}, [start], set()
    while todo:
        world = todo.pop()
        if all(actor.over for actor in world.actors):
            found.add(_recovered(world, parts, due=due))
            continue
        moves = list(_moves(world))
        if not moves:
            raise Deadlock(world)
        mortal = most_deaths is None or world.deaths < most_deaths
        for one in [*moves, *(_deaths(world) if mortal else ())]:
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return found, len(seen)


def _deaths(world: World) -> Iterator[World]:
    for number, actor in enumerate(world.actors):
        if not actor.over:
            dead = Actor(actor.program, len(actor.program) + 1)
            yield _with(replace(world, deaths=world.deaths + 1), number, dead)


def _moves(world: World) -> Iterator[World]:
    for number, actor in enumerate(world.actors):
        if actor.over:
            continue
        others = [one.locks for n, one in enumerate(world.actors) if n != number]
        step = actor.program[actor.place] if actor.place < len(actor.program) else None
        if step is None:
            yield _committed(world, number, actor, len(actor.program) + 1)
        elif not any(step.lock in locks for locks in others):
            yield _stepped(world, number, actor, step)


def _stepped(world: World, number: int, actor: Actor, step: Step) -> World:
    tx = Transaction(dict(world.rows), dict(actor.writes), actor.sent, dict(actor.notes))
    goes_on = step.act(tx)
    locks = actor.locks | {step.lock} if step.lock else actor.locks
    place = actor.place + 1 if goes_on else len(actor.program)
    moved = Actor(actor.program, place, _frozen(tx.writes), tx.sent, _frozen(tx.notes), frozenset(locks))
    return _committed(world, number, moved, place) if step.commits else _with(world, number, moved)


def _committed(world: World, number: int, actor: Actor, place: int) -> World:
    rows = _frozen(dict(world.rows) | dict(actor.writes))
    after = replace(world, rows=rows, sent=world.sent + actor.sent)
    return _with(after, number, Actor(actor.program, place, notes=actor.notes))


def _with(world: World, number: int, actor: Actor) -> World:
    actors = (*world.actors[:number], actor, *world.actors[number + 1 :])
    return replace(world, actors=actors)


def _recovered(world: World, parts: int, *, due: bool) -> End:
    """Deliver again what is left, one after the other."""
    for program in [ack(n) for n in range(parts)] + ([sweep()] if due else []):
        alone = replace(world, actors=(Actor(program),))
        while not alone.actors[0].over:
            actor = alone.actors[0]
            if actor.place < len(program):
                alone = _stepped(alone, 0, actor, program[actor.place])
            else:
                alone = _committed(alone, 0, actor, len(program) + 1)
        world = alone
    return dict(world.rows)["b"], world.sent


def _frozen(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(values.items()))
