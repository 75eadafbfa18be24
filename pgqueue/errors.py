"""Errors of pgqueue: what went wrong, and the cure.

    PgQueueError
    ├── InvalidInput (ValueError)       PQ002  an argument breaks a documented limit
    │   └── PayloadError                PQ003  a payload can't travel as JSON; `.path` names the bad value
    ├── QueueNotFound                   PQ001  no queue of that name; `.queue`
    ├── QueueExists                     PQ004  a queue of that name has another kind or other settings
    ├── QueueNotEmpty                   PQ005  drop refused: the queue holds messages
    ├── KeyBusy                         PQ006  another open transaction holds this idempotency key
    ├── StaleReceipt                    PQ007  the lease was lost
    ├── NeedsRowKind                    PQ008  the verb needs a queue of kind `row`
    ├── SchemaMismatch                  PQ009  the schema is missing, or too old or too new for this library
    ├── QueueBusy                       PQ010  a lock on the queue wasn't granted in time
    ├── BarrierLive                     PQ011  a live barrier has the key
    ├── PartNotLive                     PQ012  only a live part of a live barrier may add parts
    ├── ClaimLost                       PQ013  the claim was taken over, released or finished
    ├── ClaimHeld                              somebody has the claim and hasn't finished; `.seconds`
    ├── ContinuationFailed              PQ014  what follows a message can't be sent, so the message isn't acked
    ├── ReplyFailed                            a request whose message died, or went without a reply; `.reason`
    ├── ReplyTimeout (TimeoutError)            no reply within the time that was waited
    ├── PermissionDenied                42501  the role lacks a grant
    ├── Unavailable                            the database can't be reached, or it's safe to call again
    ├── InDoubt                                the answer was lost: the call may have been committed
    ├── ConfigurationError                     a DSN or a setting can't be used
    ├── ClientMisuse (RuntimeError)            a closed client, another process or another event loop
    └── DatabaseError                          any other SQL error; `.sqlstate` says which

`str(error)` is the message followed by the cure. `error.fields` holds the named values of the case.
"""

from __future__ import annotations

from typing import ClassVar


class PgQueueError(Exception):
    """Root of everything that pgqueue raises on purpose.

    `message` says what was wrong, without a final dot. `cure` says what to do, as a sentence.
    """

    default_sqlstate: ClassVar[str | None] = None
    default_cure: ClassVar[str] = "See the documentation of this call."

    def __init__(
        self, message: str, *, cure: str | None = None, sqlstate: str | None = None, **fields: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure or self.default_cure
        self.sqlstate = sqlstate or self.default_sqlstate
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.message}. {self.cure}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.cure, self.sqlstate, self.fields)


def _rebuild(
    kind: type[PgQueueError], message: str, cure: str, sqlstate: str | None, fields: dict[str, object]
) -> PgQueueError:
    return kind(message, cure=cure, sqlstate=sqlstate, **fields)


class InvalidInput(PgQueueError, ValueError):
    """An argument breaks a documented limit. Nothing was sent."""

    default_sqlstate = "PQ002"
    default_cure = "Correct the argument; nothing was changed."


class PayloadError(InvalidInput):
    """A payload can't travel as JSON. `path` names the bad value, like `$.items[3].when`."""

    default_sqlstate = "PQ003"
    default_cure = "Convert the value to a JSON type (string, number, boolean, null, list, object) first."

    @property
    def path(self) -> str:
        return str(self.fields.get("path", "$"))


class QueueNotFound(PgQueueError):
    """No queue of that name. Queues are never created by a send or a read."""

    default_sqlstate = "PQ001"
    default_cure = "Create it with `pgqueue queues create` or check the name."

    @property
    def queue(self) -> str | None:
        queue = self.fields.get("queue")
        return None if queue is None else str(queue)


class QueueExists(PgQueueError):
    """The queue exists with another kind or with other settings. Nothing was altered."""

    default_sqlstate = "PQ004"
    default_cure = "Change its settings with configure_queue, or choose another name."


class QueueNotEmpty(PgQueueError):
    """drop_queue refused, since messages would be lost."""

    default_sqlstate = "PQ005"
    default_cure = "Drain or purge the queue first, or drop it with force."


class KeyBusy(PgQueueError):
    """Another open transaction holds this idempotency key. Whether it commits isn't known yet."""

    default_sqlstate = "PQ006"
    default_cure = "Send again with the same key once the other transaction has ended."


class StaleReceipt(PgQueueError):
    """The lease was lost: the message was handed out again, or it is gone."""

    default_sqlstate = "PQ007"
    default_cure = "Drop the result: another holder has the message. A longer vt avoids this."


class NeedsRowKind(PgQueueError):
    """The verb works on queues of kind `row` only."""

    default_sqlstate = "PQ008"
    default_cure = "Create the queue with kind `row`."


class SchemaMismatch(PgQueueError):
    """The schema `pgqueue` is missing, or its version doesn't fit this library."""

    default_sqlstate = "PQ009"
    default_cure = "Run `pgqueue migrate`."


class QueueBusy(PgQueueError):
    """A lock on the queue wasn't granted in time. Nothing was done."""

    default_sqlstate = "PQ010"
    default_cure = "Try again; a long transaction on this queue stands in the way."


class BarrierLive(PgQueueError):
    """A live barrier has the key. Nothing was armed or sent."""

    default_sqlstate = "PQ011"
    default_cure = "Wait for it, abort it, or arm with new_generation, which replaces it."


class PartNotLive(PgQueueError):
    """The part has ended, or its barrier is over. Nothing was added."""

    default_sqlstate = "PQ012"
    default_cure = "Add parts before the adding part arrives."


class ClaimLost(PgQueueError):
    """The claim isn't the caller's any more. What was written in this transaction is rolled back."""

    default_sqlstate = "PQ013"
    default_cure = "Drop what was done under it: another holder may have done it. A longer lease avoids this."


class ClaimHeld(PgQueueError):
    """Somebody has the claim and has not finished. Nothing was done. `seconds`: what is left of its lease."""

    default_cure = "Come again when its lease is over: by then it is done, or to be had."

    @property
    def seconds(self) -> float:
        return float(str(self.fields.get("seconds", 0.0)))


class ContinuationFailed(PgQueueError):
    """A message that is to follow another one can't be sent, so that one was not acked: it comes back."""

    default_sqlstate = "PQ014"
    default_cure = "Put right what it says; until then the message is tried again, and finally buried."


class ReplyFailed(PgQueueError):
    """A request will get no result. `reason` is that of the dead letter, or lost, expired, unknown."""

    default_cure = "Look for the dead letter of the message; send it again when the cause is gone."

    @property
    def reason(self) -> str:
        return str(self.fields.get("reason"))


class ReplyTimeout(PgQueueError, TimeoutError):
    """No reply came within the time that was waited. The message isn't touched."""

    default_cure = (
        "Call result() again: the reply is kept for its ttl. Do workers run? `pgqueue peek` shows the queue."
    )


class PermissionDenied(PgQueueError):
    """The database role lacks a grant."""

    default_sqlstate = "42501"
    default_cure = (
        "Grant the role that fits: pgqueue_producer, pgqueue_consumer, pgqueue_operator or pgqueue_observer."
    )


class Unavailable(PgQueueError):
    """The database can't be reached, or the connection was lost and calling again is known to be safe."""

    default_cure = "Try again when the database can be reached."


class InDoubt(PgQueueError):
    """The connection was lost before the answer came: the call may or may not have been committed."""

    default_cure = "Check the effect before you repeat the call; a send with a key is repeated safely."


class ConfigurationError(PgQueueError):
    """A DSN or a setting can't be used."""

    default_cure = "Correct the setting."


class ClientMisuse(PgQueueError, RuntimeError):
    """The client was used after close, after a fork, or from another event loop."""

    default_cure = "Create a new client there."


class DatabaseError(PgQueueError):
    """Any other error that the database reported. `sqlstate` is the server's."""

    default_cure = "Look up the SQLSTATE; the statement changed nothing."
