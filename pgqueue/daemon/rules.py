"""The rules of the supervisor: pure, the time is an argument."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence

from pgqueue.consumer.record import STARTED, Row
from pgqueue.consumer.report import Phase, PlanLine
from pgqueue.daemon.model import FleetSettings, FleetView, Leaving, WorkerView
from pgqueue.queue.model import QueueSettings

YOUNG = (
    10.0  # a process that dies before it is so many seconds old, and has handled nothing, died at its start
)
SHORT_RESTART, RESTART_STEP, LONGEST_RESTART = 1.0, 2.0, 30.0
CRASHES_THAT_SHOW = 3
MOST_CRASHES = 10
SILENT_PART = 3  # of vt: from then on the supervisor renews the leases of a worker that says nothing
SHORTEST_SILENCE = 0.5
READ_FAILURES_THAT_SHOW = 5.0
LOOP_LAG_OF_A_BLOCKED_LOOP = 1.0
STUCK_SUPERVISOR = 10.0
DEFAULT_STALE = QueueSettings().health_stale
MEGABYTE = 1 << 20
SHORTEST_TICK, LONGEST_TICK, TICKS_PER_VT = 0.05, 1.0, 6

Plans = Mapping[int, PlanLine]


def crashes_after(crashes: int, uptime: float, handled: int) -> int:
    """Count the processes in a row that died at their start; one that handled a message has come further."""
    return crashes + 1 if uptime < YOUNG and not handled else 0


def restart_delay(crashes: int, uptime: float) -> float:
    """Say how long to wait before the next process: 2 s for each that died at its start, at most 30 s.

    One that died young after it had worked is replaced after a second, an older one at once.
    """
    if not crashes:
        return SHORT_RESTART if uptime < YOUNG else 0.0
    return min(RESTART_STEP * crashes, LONGEST_RESTART)


def gives_up(crashes: Iterable[int]) -> bool:
    """Tell whether starting more processes is pointless: none of all places keeps one alive."""
    return all(count >= MOST_CRASHES for count in crashes)


def how_died(code: int) -> str:
    """Name an exit code as subprocess gives it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name} (perhaps out of memory)" if -code == signal.SIGKILL else name


def recycle_reason(worker: WorkerView, settings: FleetSettings) -> str | None:
    """Say why a worker has done enough, if it has."""
    if settings.max_messages is not None and worker.handled >= settings.max_messages:
        return f"{worker.handled} messages"
    megabytes = worker.beat.resident_bytes / MEGABYTE
    if settings.max_megabytes is not None and megabytes > settings.max_megabytes and worker.handled:
        return f"{megabytes:.0f} MB"
    return None


def outlived(rows: Iterable[Row], plans: Plans, now: float) -> list[Row]:
    """Return the messages whose handlers have run for health_stale or longer."""
    return [row for row in rows if is_outlived(row, plans, now)]


def is_outlived(row: Row, plans: Plans, now: float) -> bool:
    plan = plans.get(row.plan)
    return row.state == STARTED and plan is not None and now - row.since >= plan.health_stale


def stale_reason(worker: WorkerView, now: float) -> str | None:
    """Say why a worker must be replaced, if it must: a handler, its loop or the whole process doesn't get on."""
    if late := outlived(worker.rows, worker.plans, now):
        row = min(late, key=lambda row: row.since)
        queue = worker.plans[row.plan].queue
        return f"message {row.msg_id} of queue {queue} has run for {now - row.since:.1f} s"
    limit = stale_limit(worker)
    if worker.beat.phase is Phase.STARTING:
        return None
    for what, age in (("said nothing", worker.silent_for), ("blocked its loop", worker.beat.loop_lag)):
        if age >= limit:
            return f"the process has {what} for {age:.1f} s"
    return None


def stale_limit(worker: WorkerView) -> float:
    """The longest health_stale of its queues, in seconds."""
    return max((plan.health_stale for plan in in_force(worker.plans)), default=DEFAULT_STALE)


def in_force(plans: Plans) -> list[PlanLine]:
    """Return the newest plan of each queue."""
    return list({plans[number].queue: plans[number] for number in sorted(plans)}.values())


def is_silent(worker: WorkerView) -> bool:
    """Tell whether a worker says nothing for so long that its leases may be in danger."""
    shortest = min((plan.vt for plan in in_force(worker.plans)), default=DEFAULT_STALE)
    return worker.silent_for >= max(shortest / SILENT_PART, SHORTEST_SILENCE)


def is_blocked(worker: WorkerView) -> bool:
    """Tell whether a request to end would not be heard."""
    return is_silent(worker) or worker.beat.loop_lag >= LOOP_LAG_OF_A_BLOCKED_LOOP


def is_done_but_for(worker: WorkerView, now: float) -> bool:
    """Tell whether a stale worker has given back or finished everything but what made it stale."""
    late = outlived(worker.rows, worker.plans, now)
    return worker.beat.phase is Phase.QUIET and len(late) == len(worker.rows)


def due_for_renewal(rows: Iterable[Row], plans: Plans, renewed: Mapping[Row, float], now: float) -> list[Row]:
    """Return what a silent worker runs whose lease a third of vt has passed on."""
    return [
        row
        for row in rows
        if row.state == STARTED
        and (plan := plans.get(row.plan)) is not None
        and now - row.since < plan.health_stale
        and now - renewed.get(row, 0.0) >= plan.vt / SILENT_PART
    ]


def tick(plans: Iterable[PlanLine]) -> float:
    """Say how often to look: often enough for the shortest vt, at most every 50 ms, at least every second."""
    shortest = min((plan.vt for plan in plans), default=LONGEST_TICK)
    return min(max(shortest / TICKS_PER_VT, SHORTEST_TICK), LONGEST_TICK)


def problems_of_life(view: FleetView, now: float) -> list[str]:
    """Say what is wrong with the processes: not empty means that /livez is red."""
    found = [] if now - view.taken_at < STUCK_SUPERVISOR else ["the supervisor doesn't get on"]
    for number, crashes in enumerate(view.crashes):
        if crashes >= CRASHES_THAT_SHOW:
            found.append(f"worker {number} crashed {crashes} times in a row")
    for worker in view.workers:
        if worker.leaving is Leaving.STALE:
            found.append(f"worker {worker.number} is being replaced: it made no progress")
        elif not view.stopping and (why := _no_progress(worker, now)):
            found.append(f"worker {worker.number}: {why}")
    return found


def problems_of_readiness(view: FleetView) -> list[str]:
    """Say why no messages are handled: not empty means that /readyz is red."""
    if view.stopping:
        return ["stopping"]
    serving = [worker for worker in view.workers if worker.leaving is None and _serves(worker)]
    return [] if serving else ["no worker reads messages"]


def exit_code(codes: Sequence[int], *, signal_number: int | None, killed: bool) -> int:
    """Combine how the workers ended after a stop: 1 for a fault, 128 + signal if one could not finish, else 0."""
    forced = killed or any(code < 0 or code > 128 for code in codes)  # noqa: PLR2004 - 128 + signal
    if forced:
        return 1 if signal_number is None else 128 + signal_number
    return int(any(codes))


def _no_progress(worker: WorkerView, now: float) -> str | None:
    if why := stale_reason(worker, now):
        return why
    limit = stale_limit(worker)
    if worker.beat.phase is Phase.STARTING:
        return f"not started after {worker.uptime:.0f} s" if worker.uptime >= DEFAULT_STALE else None
    for what, age in (
        ("its reads fail", worker.beat.all_failing_for),
        ("it reads nothing", worker.beat.turn_age),
    ):
        if age >= limit:
            return f"{what} for {age:.0f} s"
    return None


def _serves(worker: WorkerView) -> bool:
    return worker.beat.phase is Phase.CONSUMING and worker.beat.all_failing_for < READ_FAILURES_THAT_SHOW
