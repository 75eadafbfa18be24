"""The verbs that settle or prolong a lease: part of `message.calls`, which exports them.

With a receipt a verb is fenced (`stale` changes nothing) and safe to repeat; without one it isn't.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pgqueue.call import Call, Repeat, Rows
from pgqueue.errors import InvalidInput
from pgqueue.message import rules
from pgqueue.message.model import Outcome
from pgqueue.message.rows import all_done_anyway, done_anyway, outcome_of, outcomes_of
from pgqueue.message.rules import Seconds
from pgqueue.queue.rules import check_name

Receipts = Sequence[int | None] | None


def delete(queue: str, msg_id: int, receipt: int | None = None) -> Call[Outcome]:
    """Remove one message: the ack."""
    return _settle("delete", queue, msg_id, receipt, may_commit_async=True)


def archive(queue: str, msg_id: int, receipt: int | None = None) -> Call[Outcome]:
    """Remove one message and keep it in the archive."""
    return _settle("archive", queue, msg_id, receipt)


def set_vt(queue: str, msg_id: int, vt: Seconds, receipt: int | None = None) -> Call[Outcome]:
    """Let one message become visible `vt` from now (0.1 s .. 24 h); prolongs a lease."""
    extra = {"vt => make_interval(secs => %s)": rules.check_vt(vt)}
    return _settle("set_vt", queue, msg_id, receipt, extra, may_commit_async=True)


def release(queue: str, msg_id: int, receipt: int | None = None) -> Call[Outcome]:
    """Give one lease back: visible at once, and not counted against max_reads."""
    return _settle("release", queue, msg_id, receipt, parse_repeated=done_anyway)


def retry(
    queue: str, msg_id: int, delay: Seconds, error: str | None = None, receipt: int | None = None
) -> Call[Outcome]:
    """Give one lease back after a failure: visible again after `delay`. The error is cut to 8 KiB."""
    extra = {
        "delay => make_interval(secs => %s)": rules.check_delay(delay),
        "error => %s": rules.clean_error(error),
    }
    return _settle("retry", queue, msg_id, receipt, extra, parse_repeated=done_anyway)


def bury(
    queue: str, msg_id: int, reason: str, error: str | None = None, receipt: int | None = None
) -> Call[Outcome]:
    """Move one message to the dead letters. The error is cleaned and cut to 8 KiB."""
    extra = {"reason => %s": rules.check_text("reason", reason), "error => %s": rules.clean_error(error)}
    return _settle("bury", queue, msg_id, receipt, extra)


def delete_batch(queue: str, msg_ids: Sequence[int], receipts: Receipts = None) -> Call[dict[int, Outcome]]:
    """Remove many messages."""
    return _settle_batch("delete", queue, msg_ids, receipts, may_commit_async=True)


def archive_batch(queue: str, msg_ids: Sequence[int], receipts: Receipts = None) -> Call[dict[int, Outcome]]:
    """Remove many messages and keep them in the archive."""
    return _settle_batch("archive", queue, msg_ids, receipts)


def release_batch(
    queue: str,
    msg_ids: Sequence[int],
    receipts: Receipts = None,
    delays: Sequence[Seconds] | None = None,
) -> Call[dict[int, Outcome]]:
    """Give many leases back: visible at once, or each after its delay; not counted against max_reads."""
    extra = {} if delays is None else {"delays => %s::interval[]": _intervals(delays, len(msg_ids))}
    return _settle_batch("release", queue, msg_ids, receipts, extra, parse_repeated=all_done_anyway)


def set_vt_batch(
    queue: str, msg_ids: Sequence[int], vt: Seconds, receipts: Receipts = None
) -> Call[dict[int, Outcome]]:
    """Prolong many leases. A row that another transaction is settling right now answers BUSY."""
    extra = {"vt => make_interval(secs => %s)": rules.check_vt(vt)}
    return _settle_batch("set_vt", queue, msg_ids, receipts, extra, may_commit_async=True)


def retry_batch(
    queue: str,
    msg_ids: Sequence[int],
    delays: Sequence[Seconds],
    errors: Sequence[str | None] | None = None,
    receipts: Receipts = None,
) -> Call[dict[int, Outcome]]:
    """Give many leases back after failures, each with its own delay and error."""
    extra = {
        "delays => %s::interval[]": _intervals(delays, len(msg_ids)),
        "errors => %s::text[]": _clean_errors(errors, len(msg_ids)),
    }
    return _settle_batch("retry", queue, msg_ids, receipts, extra, parse_repeated=all_done_anyway)


def bury_batch(
    queue: str,
    msg_ids: Sequence[int],
    reasons: Sequence[str],
    errors: Sequence[str | None] | None = None,
    receipts: Receipts = None,
) -> Call[dict[int, Outcome]]:
    """Move many messages to the dead letters, each with its own reason and error."""
    rules.check_batch("reasons", reasons, length=len(msg_ids))
    extra = {
        "reasons => %s::text[]": [rules.check_text("reason", reason) for reason in reasons],
        "errors => %s::text[]": _clean_errors(errors, len(msg_ids)),
    }
    return _settle_batch("bury", queue, msg_ids, receipts, extra)


def _settle(
    verb: str,
    queue: str,
    msg_id: int,
    receipt: int | None,
    extra: Mapping[str, object] | None = None,
    *,
    may_commit_async: bool = False,
    parse_repeated: Callable[[Rows], Outcome] | None = None,
) -> Call[Outcome]:
    rules.check_id("msg_id", msg_id)
    if receipt is not None:
        rules.check_id("receipt", receipt)
    arguments = {"msg_id => %s": msg_id, **(extra or {}), "receipt => %s": receipt}
    return Call(
        f"message.{verb}",
        f"select * from pgqueue.{verb}__{check_name(queue)}({', '.join(arguments)})",
        tuple(arguments.values()),
        outcome_of,
        repeat=Repeat.NEVER if receipt is None else Repeat.ALWAYS,
        queue=queue,
        may_commit_async=may_commit_async,
        parse_repeated=parse_repeated,
    )


def _settle_batch(
    verb: str,
    queue: str,
    msg_ids: Sequence[int],
    receipts: Receipts,
    extra: Mapping[str, object] | None = None,
    *,
    may_commit_async: bool = False,
    parse_repeated: Callable[[Rows], dict[int, Outcome]] | None = None,
) -> Call[dict[int, Outcome]]:
    rules.check_batch("msg_ids", msg_ids)
    ids = rules.check_ids("msg_id", msg_ids)
    proofs = _checked_receipts(receipts, len(ids))
    arguments = {"msg_ids => %s::bigint[]": ids, **(extra or {}), "receipts => %s::bigint[]": proofs}
    return Call(
        f"message.{verb}_batch",
        f"select * from pgqueue.{verb}_batch__{check_name(queue)}({', '.join(arguments)})",
        tuple(arguments.values()),
        outcomes_of,
        repeat=Repeat.NEVER if proofs is None else Repeat.ALWAYS,
        queue=queue,
        may_commit_async=may_commit_async,
        parse_repeated=parse_repeated,
    )


def _checked_receipts(receipts: Receipts, length: int) -> list[int] | None:
    if receipts is None:
        return None
    rules.check_batch("receipts", receipts, length=length)
    if None in receipts:
        raise InvalidInput(
            f"receipts[{list(receipts).index(None)}] is None",
            cure="Pass a receipt for every message, or none at all.",
            argument="receipts",
        )
    proofs = rules.check_ids("receipt", [receipt for receipt in receipts if receipt is not None])
    # The messages of one read share their receipt: one then serves for all.
    return proofs[:1] if len(set(proofs)) == 1 else proofs


def _intervals(delays: Sequence[Seconds], length: int) -> list[str]:
    rules.check_batch("delays", delays, length=length)
    return [f"{rules.check_delay(delay)} s" for delay in delays]


def _clean_errors(errors: Sequence[str | None] | None, length: int) -> list[str | None] | None:
    if errors is None:
        return None
    rules.check_batch("errors", errors, length=length)
    return [rules.clean_error(error) for error in errors]
