"""The rules: what a handler did, or what a message is, decides how it ends. No I/O, no clock, no dice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pgqueue.consumer.failure import describe
from pgqueue.consumer.model import Held, QueuePlan, Verb, Verdict
from pgqueue.consumer.redaction import conceal
from pgqueue.errors import ClaimHeld
from pgqueue.message.model import Message
from pgqueue.message.rules import backoff_delay, clean_error
from pgqueue.queue.model import Backoff
from pgqueue.task.answer import Answer, Bury, Release, Retry
from pgqueue.task.poison import Handled, Hopeless, PoisonAnswer, TryLater

FREE_RELEASES = 10
RELEASE_PAUSE = 2.0
LONGEST_POSTPONEMENT = 60.0
UNKNOWN_BASE, UNKNOWN_CAP = 1.0, 60.0

DELETE = Verdict(Verb.DELETE)
ARCHIVE = Verdict(Verb.ARCHIVE)
RELEASE = Verdict(Verb.RELEASE)
NOTHING = Verdict(Verb.NOTHING)

Chance = Callable[[], float]


class Postponed(Exception):
    """What has to be known before the handler runs can't be had now: no fault of the message."""


def answered(held: Held, answer: object, backoff: Backoff | None, chance: Chance) -> Verdict:
    """Judge what a handler returned. Anything that isn't Retry, Bury or Release means done.

    Raises what an answer raises that is of a class of the user's own and lacks what it should have.
    """
    match answer:
        case Bury():
            answer = Bury(answer.reason, answer.error)
            return Verdict(Verb.BURY, reason=answer.reason, error=_concealed(answer.error))
        case Retry():
            answer = Retry(answer.delay, answer.reason)
            delay = _backoff(held, backoff, chance) if answer.delay is None else answer.delay
            return Verdict(Verb.RETRY, delay=delay, error=_concealed(answer.reason))
        case Release():
            return _give_back(held.message)
        case _:
            return done(held.plan)


def raised(held: Held, error: BaseException, backoff: Backoff | None, chance: Chance) -> Verdict:
    """Judge what a handler raised. An answer counts as given; everything else is a failure, tried again."""
    if isinstance(error, Answer):
        try:
            return answered(held, error, backoff, chance)
        except Exception as second:  # noqa: BLE001 - the answer is of a foreign class: whatever it lacks is a failure
            return failed(held, describe(second), backoff, chance)
    if isinstance(error, KeyboardInterrupt):
        return RELEASE
    if isinstance(error, Postponed):
        return Verdict(Verb.RELEASE, delay=_unknown_delay(held.message.release_ct))
    if isinstance(error, ClaimHeld):  # its holder may finish long before the lease ends
        return Verdict(Verb.RELEASE, delay=min(max(error.seconds, RELEASE_PAUSE), LONGEST_POSTPONEMENT))
    return failed(held, describe(error), backoff, chance)


def failed(held: Held, error: str, backoff: Backoff | None, chance: Chance) -> Verdict:
    """Try again after the backoff, with the error kept."""
    return Verdict(Verb.RETRY, delay=_backoff(held, backoff, chance), error=error)


def batch_answered(
    members: Sequence[Held], answer: Any, backoff: Backoff | None, chance: Chance
) -> list[Verdict]:
    """Judge what a batch handler returned: one answer for all, or a list or dict (by msg_id) that holds some.

    Raises TypeError for answers that don't fit the batch: to take them for done would lose messages.
    """
    if isinstance(answer, Answer):
        return [answered(held, answer, backoff, chance) for held in members]
    singly: Sequence[Any]
    if isinstance(answer, Mapping) and any(map(_is_answer, answer.values())):
        if strangers := answer.keys() - {held.message.msg_id for held in members}:
            raise TypeError(f"the handler answered for {len(strangers)} messages that aren't in the batch")
        singly = [answer.get(held.message.msg_id) for held in members]
    elif isinstance(answer, (list, tuple)) and any(map(_is_answer, answer)):
        if len(answer) != len(members):
            raise TypeError(f"the handler returned {len(answer)} answers for {len(members)} messages")
        singly = answer
    else:
        return [done(held.plan) for held in members]
    if wrong := [one for one in singly if _is_answer(one) and not isinstance(one, Answer)]:
        raise TypeError(
            f"the handler answered with {wrong[0]!r}, not with Retry(...), Bury(...) or Release()"
        )
    return [answered(held, one, backoff, chance) for held, one in zip(members, singly, strict=True)]


def done(plan: QueuePlan) -> Verdict:
    """The message did its work."""
    return ARCHIVE if plan.archive else DELETE


def malformed(why: str) -> Verdict:
    """The payload can't be handled by anybody, ever."""
    return Verdict(Verb.BURY, reason="malformed", error=clean_error(why))


def unknown(message: Message, plan: QueuePlan, why: str) -> Verdict:
    """Show a message of an unregistered task again, uncounted, until `unknown_grace` is over; then bury it.

    What has passed is the age of the message, but no more than its releases add up to: an old message that
    meets an old worker for the first time gets its grace too.
    """
    age = (message.last_read_at - message.enqueued_at).total_seconds() if message.last_read_at else 0.0
    if min(age, _waited(message.release_ct)) >= plan.unknown_grace:
        return Verdict(Verb.BURY, reason="unknown", error=why)
    return Verdict(Verb.RELEASE, delay=_unknown_delay(message.release_ct))


def is_poison(held: Held) -> bool:
    """Tell whether the message was claimed more often than its queue allows, releases left out."""
    return held.attempt > held.plan.max_reads


def poison(*, unidentified: bool = False) -> Verdict:
    """Nobody is to be asked about a message that has used up its reads. The last error stays with it.

    `unidentified`: there is a hook, but what the message is about can't be found, so waiting can't help.
    """
    return Verdict(Verb.BURY, reason="unidentified" if unidentified else "poison")


def decided(held: Held, answer: PoisonAnswer) -> Verdict:
    """Judge what a poison hook said. Asked for the last time, later means never: the next read is the hard cap's."""
    match answer:
        case Handled():
            return Verdict(Verb.BURY, reason="handled")
        case TryLater() if held.attempt < held.plan.hard_cap:
            return Verdict(Verb.RETRY, delay=_repark_delay(held, answer))
        case Hopeless():
            return Verdict(Verb.BURY, reason="hopeless")
        case _:
            return Verdict(Verb.BURY, reason="unconfirmed")


def _give_back(message: Message) -> Verdict:
    if message.release_ct >= FREE_RELEASES:
        return Verdict(Verb.RETRY, delay=RELEASE_PAUSE, error=f"released more than {FREE_RELEASES} times")
    return Verdict(Verb.RELEASE, delay=RELEASE_PAUSE)


def _repark_delay(held: Held, answer: TryLater) -> float:
    try:
        delay = TryLater(answer.delay).delay
    except Exception:  # noqa: BLE001 - of a foreign class, as above; a hook that fails is asked again later
        delay = None
    return held.plan.repark_seconds if delay is None else delay


def _is_answer(value: Any) -> bool:
    """Tell whether this is meant as an answer, also where it is one that can't be given here."""
    kind = value if isinstance(value, type) else type(value)
    return issubclass(kind, (Answer, PoisonAnswer))


def _concealed(text: str | None) -> str | None:
    return None if text is None else conceal(text)


def _backoff(held: Held, own: Backoff | None, chance: Chance) -> float:
    return backoff_delay(own or held.plan.backoff, held.attempt, chance())


def _unknown_delay(releases: int) -> float:
    return min(UNKNOWN_BASE * 2.0 ** min(releases, 10), UNKNOWN_CAP)


def _waited(releases: int) -> float:
    """Sum up the delays of so many postponements."""
    growing = min(releases, 6)  # 1, 2, 4 .. 32 s; from then on the cap
    return UNKNOWN_BASE * (2.0**growing - 1) + (releases - growing) * UNKNOWN_CAP
