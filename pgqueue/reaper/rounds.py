"""One run of a chore: its steps, of each queue where it has some; a failure of one stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pgqueue.errors import InDoubt, PermissionDenied, PgQueueError, QueueNotFound, Unavailable
from pgqueue.leadership.model import Runner
from pgqueue.log import get_logger
from pgqueue.reaper import calls
from pgqueue.reaper.model import Chore, Done
from pgqueue.settings import mask

log = get_logger("pgqueue.reaper")

_EVERY_QUEUES = (Unavailable, InDoubt, PermissionDenied)  # the next queue would meet it too
LONGEST_ERROR = 900  # what is kept has 1,000 characters


async def run_round(chore: Chore, runner: Runner, may_go_on: Callable[[], bool]) -> Done:
    """Run a chore once. It goes on to the next step only while `may_go_on()`; the first error is the one that is reported."""
    moved, more, errors = 0, False, list[str]()
    try:
        queues = await runner.run(calls.queues()) if chore.each_queue else [""]
        for queue in queues:
            try:
                for _ in range(chore.most_steps):
                    if not may_go_on():
                        return _done(moved, errors, more=False)
                    step = await chore.step(runner, queue)
                    moved += step.rows
                    if not step.again:
                        break
                else:
                    more = True
            except QueueNotFound:  # dropped since they were listed
                continue
            except PgQueueError as error:
                errors.append(f"{queue}: {error}" if queue else str(error))
                if isinstance(error, _EVERY_QUEUES):
                    break
    except PgQueueError as error:
        errors.append(str(error))
    except Exception as fault:  # the edge: a fault in one chore must not end the others
        log.exception("sweep.crashed", chore=chore.name)
        errors.append(f"this is a fault of pgqueue: {type(fault).__name__}: {fault}")
    return _done(moved, errors, more=more)


def _done(moved: int, errors: Sequence[str], *, more: bool) -> Done:
    if not errors:
        return Done(moved, more=more)
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Done(moved, mask(errors[0])[:LONGEST_ERROR] + others)
