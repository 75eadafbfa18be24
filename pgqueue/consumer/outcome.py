"""The rules: what a handler did, or what a message is, decides how it ends. No I/O, no clock, no dice."""

from __future__ import annotations

from collections.abc import Callable

from pgqueue.consumer.failure import describe
from pgqueue.consumer.model import Held, QueuePlan, Verb, Verdict
from pgqueue.message.model import Message
from pgqueue.message.rules import backoff_delay
from pgqueue.queue.model import Backoff
from pgqueue.task.answer import Bury, Release, Retry

FREE_RELEASES = 10
RELEASE_PAUSE = 2.0
UNKNOWN_BASE, UNKNOWN_CAP = 1.0, 60.0

DELETE = Verdict(Verb.DELETE)
ARCHIVE = Verdict(Verb.ARCHIVE)
RELEASE = Verdict(Verb.RELEASE)
NOTHING = Verdict(Verb.NOTHING)

Chance = Callable[[], float]


def answered(held: Held, answer: object, backoff: Backoff | None, chance: Chance) -> Verdict:
    """Judge what a handler returned. Anything that isn't Retry, Bury or Release means done."""
    match answer:
        case Bury():
            return Verdict(Verb.BURY, reason=answer.reason, error=answer.error)
        case Retry():
            delay = _backoff(held, backoff, chance) if answer.delay is None else answer.delay
            return Verdict(Verb.RETRY, delay=delay, error=answer.reason)
        case Release():
            return _give_back(held.message)
        case _:
            return done(held.plan)


def raised(held: Held, error: BaseException, backoff: Backoff | None, chance: Chance) -> Verdict:
    """Judge what a handler raised. An answer counts as given; everything else is a failure, tried again."""
    if isinstance(error, (Retry, Bury, Release)):
        return answered(held, error, backoff, chance)
    if isinstance(error, KeyboardInterrupt):
        return RELEASE
    return Verdict(Verb.RETRY, delay=_backoff(held, backoff, chance), error=describe(error))


def done(plan: QueuePlan) -> Verdict:
    """The message did its work."""
    return ARCHIVE if plan.archive else DELETE


def malformed(why: str) -> Verdict:
    """The payload can't be handled by anybody, ever."""
    return Verdict(Verb.BURY, reason="malformed", error=why)


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


def poison(held: Held) -> Verdict:
    """The message has used up its reads."""
    return Verdict(
        Verb.BURY, reason="poison", error=f"read {held.attempt} times, allowed are {held.plan.max_reads}"
    )


def _give_back(message: Message) -> Verdict:
    if message.release_ct >= FREE_RELEASES:
        return Verdict(Verb.RETRY, delay=RELEASE_PAUSE, error=f"released more than {FREE_RELEASES} times")
    return Verdict(Verb.RELEASE, delay=RELEASE_PAUSE)


def _backoff(held: Held, own: Backoff | None, chance: Chance) -> float:
    return backoff_delay(own or held.plan.backoff, held.attempt, chance())


def _unknown_delay(releases: int) -> float:
    return min(UNKNOWN_BASE * 2.0 ** min(releases, 10), UNKNOWN_CAP)


def _waited(releases: int) -> float:
    """Sum up the delays of so many postponements."""
    growing = min(releases, 6)  # 1, 2, 4 .. 32 s; from then on the cap
    return UNKNOWN_BASE * (2.0**growing - 1) + (releases - growing) * UNKNOWN_CAP
