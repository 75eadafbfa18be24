"""Verbs on queues themselves.

They need the operator role; for `list_queues`, `metrics` and `settings` the observer's is enough, for `maintain`
the consumer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pgqueue.call import Call, Repeat, Rows, nothing, scalar
from pgqueue.json_codec import decode, encode
from pgqueue.queue.model import Pause, QueueInfo, QueueSettings, QueueState, Upkeep
from pgqueue.queue.rules import (
    SETTING_NAMES,
    check_kind,
    check_name,
    check_settings,
    check_until,
    check_why,
)

_INFO = (
    "queue, kind, depth, ready, delayed, in_flight, retrying, approx, dead, oldest_at, last_sent_at, "
    "last_msg_id, settings::text, created_at, paused_by, pause_reason, paused_at, paused_until"
)


def create_queue(
    queue: str, kind: str | None = None, settings: Mapping[str, object] | None = None
) -> Call[None]:
    """Create a queue. Twice with the same arguments is harmless.

    Raises: InvalidInput naming the bad setting; QueueExists when it has another kind or other settings.
    """
    return Call(
        "queue.create_queue",
        "select pgqueue.create_queue(queue => %s, kind => %s, settings => %s::jsonb)",
        (check_name(queue), check_kind(kind), encode(check_settings(settings or {}))),
        nothing,
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def drop_queue(queue: str, *, force: bool = False) -> Call[bool]:
    """Drop a queue; False when there was none.

    Raises: QueueNotEmpty unless forced; then its messages are lost.
    """
    return Call(
        "queue.drop_queue",
        "select pgqueue.drop_queue(queue => %s, force => %s)",
        (check_name(queue), force),
        scalar,
        queue=queue,
    )


def purge_queue(queue: str) -> Call[int]:
    """Remove every waiting message of a queue and return how many. Dead letters and keys stay."""
    return Call(
        "queue.purge_queue",
        "select pgqueue.purge_queue(queue => %s)",
        (check_name(queue),),
        scalar,
        queue=queue,
    )


def maintain(queue: str) -> Call[Upkeep]:
    """Do one bounded step of upkeep: bring back what nobody holds, give a drained side of the log back.

    No message waits for it: it keeps a log queue small and quick, and does nothing for a queue of kind row. In
    a transaction of its own; a few times a second is plenty, from any number of processes.
    """
    return Call(
        "queue.maintain",
        f"select moved, truncated from pgqueue.maintain__{check_name(queue)}()",
        (),
        lambda rows: Upkeep(*rows[0]),
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def configure_queue(queue: str, settings: Mapping[str, object]) -> Call[QueueSettings]:
    """Change the given settings and return the effective ones; None sets one back to its default.

    Running workers see them within seconds.
    """
    reset = {name for name, value in settings.items() if value is None and name in SETTING_NAMES}
    kept = {name: value for name, value in settings.items() if name not in reset}
    return Call(
        "queue.configure_queue",
        "select pgqueue.configure_queue(queue => %s, settings => %s::jsonb)::text",
        (check_name(queue), encode(check_settings(kept) | dict.fromkeys(reset))),
        lambda rows: QueueSettings.from_json(decode(rows[0][0])),
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def list_queues() -> Call[list[QueueInfo]]:
    """Return every queue with its counts and effective settings, by name."""
    return Call(
        "queue.list_queues", f"select {_INFO} from pgqueue.list_queues()", (), _infos, repeat=Repeat.ALWAYS
    )


def metrics(queue: str | None = None) -> Call[list[QueueInfo]]:
    """Return the counts of one queue, or of all."""
    return Call(
        "queue.metrics",
        f"select {_INFO} from pgqueue.metrics(queue => %s)",
        (None if queue is None else check_name(queue),),
        _infos,
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def settings(queue: str) -> Call[QueueSettings]:
    """Return the effective settings of one queue. Raises: QueueNotFound."""
    return Call(
        "queue.settings",
        "select pgqueue.queue_settings(queue => %s)::text",
        (check_name(queue),),
        lambda rows: QueueSettings.from_json(decode(rows[0][0])),
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def state(queue: str) -> Call[QueueState]:
    """Return the effective settings of one queue, and whether it is paused. Raises: QueueNotFound."""
    return Call(
        "queue.state",
        "select s.settings::text, p.paused_by, p.reason, p.paused_at, p.until"
        " from pgqueue.queue_settings(queue => %s) s(settings) left join pgqueue.pause_of(queue => %s) p on true",
        (check_name(queue), queue),
        lambda rows: QueueState(QueueSettings.from_json(decode(rows[0][0])), _pause(rows[0][1:])),
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def pause_queue(queue: str, why: str, until: datetime | timedelta | None = None) -> Call[None]:
    """Hand out nothing from a queue, to nobody, until it is resumed or `until` has come.

    A timedelta counts from now by the database's clock. What was handed out before goes on; sends and acks too. Paused
    again: the new reason and end count. Raises: InvalidInput, QueueNotFound.
    """
    end = check_until(until)
    return Call(
        "queue.pause_queue",
        "select pgqueue.pause_queue(queue => %s, why => %s, until => "
        + ("pgqueue.clock() + make_interval(secs => %s)" if isinstance(end, float) else "%s::timestamptz")
        + ")",
        (check_name(queue), check_why(why), end),
        nothing,
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def resume_queue(queue: str) -> Call[bool]:
    """End a pause; False when the queue was not paused. Raises: QueueNotFound."""
    return Call(
        "queue.resume_queue",
        "select pgqueue.resume_queue(queue => %s)",
        (check_name(queue),),
        scalar,
        queue=queue,
    )


def _pause(columns: Sequence[Any]) -> Pause | None:
    return None if columns[0] is None else Pause(*columns)


def _infos(rows: Rows) -> list[QueueInfo]:
    settings_at = QueueInfo._fields.index("settings")
    infos = []
    for row in rows:
        effective = QueueSettings.from_json(decode(row[settings_at]))
        created_at, pause = row[settings_at + 1], _pause(row[settings_at + 2 :])
        infos.append(QueueInfo._make((*row[:settings_at], effective, created_at, pause)))
    return infos
