"""What an operator is told about a barrier, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pgqueue.barrier.model import BarrierInfo, MissingPart
from pgqueue.cli.output import at

_IS = {
    "live": "is live",
    "done": "is done",
    "failed": "has failed",
    "expired": "has expired",
    "aborted": "was aborted",
    "replaced": "was replaced",
}
_LOST = {"dead": "a dead letter", "gone": "gone: acked by hand, purged, or dropped with its queue"}


def progress(info: BarrierInfo) -> str:
    """Say how many parts have ended; 100 % is said only when all have."""
    return f"{info.parts - info.open}/{info.parts} ({int(info.progress * 100)} %)"


def story(info: BarrierInfo) -> list[str]:
    """Tell what has become of a barrier until now, a sentence a line."""
    named = f"barrier {info.key}, generation {info.generation}, {_IS.get(info.state, info.state)}"
    counts = f"{info.done} done, {info.failed} failed, {info.open} open"
    lines = [
        f"{named}: {progress(info)} parts have ended: {counts}",
        f"armed {at(info.armed_at)}, policy {info.policy}, last progress {at(info.last_progress_at)}",
    ]
    if info.state == "live":
        stalls = (
            f"at {at(info.stalls_at)} if no part ends before, " if info.stalls_at < info.deadline_at else ""
        )
        lines.append(f"expires {stalls}at {at(info.deadline_at)} in any case")
    else:
        why = f": {info.reason}" if info.reason else ""
        lines.append(f"ended {at(info.ended_at)}, kept until {at(info.kept_until)}{why}")
    lines.append(_of_callback(info))
    return lines


def where(part: MissingPart) -> str:
    """Say where the message of an open part is."""
    match part.state:
        case "ready":
            return "waits to be read"
        case "in_flight":
            return f"in hand until {at(part.vt)}"
        case "retry":
            return f"failed, comes back {at(part.vt)}"
        case "delayed":
            return f"not before {at(part.vt)}"
        case "dead":
            return "dead letter"
        case "redriven":
            return "dead letter, sent again"
        case other:
            return other


def advice(info: BarrierInfo, missing: Sequence[MissingPart]) -> list[str]:
    """Say what stands in the way of missing parts that nobody works on; nothing once the barrier is over."""
    lines: list[str] = []
    if info.state != "live":
        return lines
    for state, what in _LOST.items():
        for part in (one for one in missing if one.state == state):
            lines.append(
                f"part {part.part} is {what}. The sweep of a running consumer, or of pgqueue maintain, ends it "
                f"under the policy {info.policy}, within a minute or so."
            )
            if state == "dead":
                lines.append(f"  to do its work after all: pgqueue dead redrive {part.queue} {part.msg_id}")
    for queue in sorted({part.queue for part in missing if part.state == "ready"}):
        waiting = sum(part.state == "ready" and part.queue == queue for part in missing)
        lines.append(
            f"{waiting} wait in {queue}: is a consumer of it running, is it paused? pgqueue queues list"
        )
    return lines


def _of_callback(info: BarrierInfo) -> str:
    if info.state == "live":
        return "its callback is sent when the last part has ended"
    if info.callback_msg_id is None:
        return "nothing was sent at its end"
    what = "its callback" if info.state == "done" else "its on_failure message"
    ended = f"done {at(info.callback_finished_at)}" if info.callback_finished_at else "not done yet"
    return f"{what} is message {info.callback_msg_id} of {info.callback_queue}: {ended}"
