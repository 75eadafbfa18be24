"""A scheduler fires what is due: each slot once, by the policy, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from pgqueue import AsyncPgQueue, PgQueue, schedule
from pgqueue.message import calls as message_calls
from pgqueue.schedule import calls
from pgqueue.schedule.loop import fire_due
from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.verbs import Queue, create_queue, rows, scalar
from tests_integration.schedule.conftest import Schedules

MINUTE = timedelta(minutes=1)
FIVE = timedelta(minutes=5)


async def until(clock: Clock, end: datetime, step: float, scheduler: AsyncPgQueue) -> int:
    """Let time pass in steps, a scheduler looking at each."""
    fired = await fire_due(scheduler)
    while clock.now() < end:
        clock.advance(step)
        fired += await fire_due(scheduler)
    return fired


async def test_each_slot_is_sent_once_with_its_name(
    door: Door, kind: Any, clock: Clock, database: Database
) -> None:
    """U137, U138, P16"""
    db = database.connect()
    create_queue(db, "orders", kind)
    schedules = Schedules(db)
    schedules.set(headers={"from": "me"}, message={"task": "count"}, priority=0)
    async with AsyncPgQueue(door.conninfo) as scheduler:
        assert await until(clock, START + 11 * MINUTE, 20, scheduler) == 2
    assert schedules.sent() == [START + FIVE, START + 2 * FIVE]
    message = Queue(db, kind=kind).read_one()
    assert message.message == {"task": "count"}
    assert message.headers == {
        "from": "me",
        "pgqueue-schedule": {"schedule": "tick", "slot": "2030-01-01T00:05:00Z"},
    }
    assert schedule.slot_of(message.headers) == schedule.Slot("tick", START + FIVE)
    seen = schedules.look()
    assert (seen.last_slot, seen.next_at, seen.fired) == (START + 2 * FIVE, START + 3 * FIVE, 2)
    assert seen.last_msg_id == scalar(db, "select max(msg_id) from pgqueue.q_orders")


@pytest.mark.parametrize(
    ("policy", "fired"),
    [
        ({"catch_up": "latest"}, [1440]),
        ({"catch_up": "skip"}, []),
        ({"catch_up": "all", "catch_up_most": 1000}, [5 * n for n in range(1, 289)]),
        ({"catch_up": "all", "catch_up_most": 3}, [1430, 1435, 1440]),
    ],
)
async def test_after_a_day_without_a_scheduler_the_policy_decides(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue, policy: dict[str, Any], fired: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """F62"""
    schedules.set(**policy)
    await fire_due(scheduler)
    clock.advance(86_400 + 90)
    assert await fire_due(scheduler) == len(fired)
    assert schedules.sent() == [START + n * MINUTE for n in fired]
    seen = schedules.look()
    left_out = policy != {"catch_up": "all", "catch_up_most": 1000}
    assert seen.next_at == START + timedelta(minutes=1445)
    assert seen.missed_from == (START + FIVE if left_out else None)
    assert seen.missed_until == ((START + fired[0] * MINUTE if fired else seen.next_at) if left_out else None)
    assert ("slots.missed" in caplog.text) is left_out
    clock.set(START + timedelta(minutes=1445))
    assert await fire_due(scheduler) == 1


async def test_clock_that_jumps_forwards_makes_no_burst_and_backwards_no_double(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue
) -> None:
    """F61"""
    schedules.set()
    await until(clock, START + 6 * MINUTE, 60, scheduler)
    clock.advance(3600)
    assert await fire_due(scheduler) == 1
    clock.advance(-600)
    assert await until(clock, START + 66 * MINUTE, 60, scheduler) == 0
    assert await until(clock, START + 71 * MINUTE, 60, scheduler) == 1
    assert schedules.sent() == [START + n * MINUTE for n in (5, 65, 70)]


async def test_changed_rule_fires_no_slot_again_after_the_clock_went_back(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue
) -> None:
    schedules.set()
    await until(clock, START + 6 * MINUTE, 60, scheduler)
    clock.advance(-300)
    schedules.set(cron="* * * * *")
    assert await until(clock, START + 5 * MINUTE, 30, scheduler) == 0
    assert await until(clock, START + 7 * MINUTE, 30, scheduler) == 2
    assert schedules.sent() == [START + n * MINUTE for n in (5, 6, 7)]


@pytest.mark.parametrize(
    ("day", "fixed", "hourly"),
    [
        # 02:30 is skipped: it fires at the change. The day has 23 hours
        (datetime(2030, 3, 30, 23, tzinfo=UTC), datetime(2030, 3, 31, 1, tzinfo=UTC), 23),
        # 02:30 comes twice: it fires the first time. The day has 25 hours
        (datetime(2030, 10, 26, 22, tzinfo=UTC), datetime(2030, 10, 27, 0, 30, tzinfo=UTC), 25),
    ],
)
async def test_day_on_which_clocks_change(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue, day: datetime, fixed: datetime, hourly: int
) -> None:
    """F60, in Berlin"""
    create_queue(schedules.db, "hours", "row")
    clock.set(day)
    schedules.set(cron="30 2 * * *", timezone="Europe/Berlin")
    schedules.set("hourly", cron="0 * * * *", timezone="Europe/Berlin", queue="hours")
    await until(clock, day + timedelta(hours=hourly), 600, scheduler)
    assert schedules.sent() == [fixed]
    assert schedules.sent("hours") == [day + n * timedelta(hours=1) for n in range(1, hourly + 1)]


async def test_jitter_delays_a_slot_and_does_not_move_it(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue
) -> None:
    schedules.set(jitter="4 minutes")
    await fire_due(scheduler)
    seen = schedules.look()
    assert seen.next_at == START + FIVE
    assert seen.next_at < seen.due_at < seen.next_at + 4 * MINUTE
    clock.set(seen.due_at - timedelta(milliseconds=1))
    assert await fire_due(scheduler) == 0
    clock.set(seen.due_at)
    assert await fire_due(scheduler) == 1
    assert schedules.sent() == [START + FIVE]


async def test_dropped_queue_disables_that_schedule_and_the_others_run(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """B72"""
    create_queue(schedules.db, "doomed", "log")
    schedules.set("a", queue="doomed")
    schedules.set("b")
    await fire_due(scheduler)
    scalar(schedules.db, "select pgqueue.drop_queue('doomed')")
    clock.advance(301)
    assert await fire_due(scheduler) == 1
    seen = schedules.look("a")
    assert (seen.state, "doomed" in seen.error, seen.last_slot) == ("disabled", True, None)
    assert "schedule.disabled" in caplog.text
    clock.advance(3600)
    create_queue(schedules.db, "doomed", "log")
    scalar(schedules.db, "select pgqueue.resume_schedule('a')")
    assert await fire_due(scheduler) == 1, "b alone: a begins anew"
    clock.advance(300)
    assert await fire_due(scheduler) == 2
    assert len(schedules.sent("doomed")) == 1


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("cron = '0-99999999 * * * *'", "outside of 0 .. 59"),
        ("cron = '0 0 30 2 *'", "never fires"),
        ("timezone = 'Mars/Olympus'", "unknown here"),
        ("timezone = 'EST5EDT'", "neither UTC nor Area/City"),
    ],
)
async def test_row_that_can_not_be_followed_is_disabled_with_its_error(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue, column: str, said: str
) -> None:
    """B68, B69, B71, U138: also later, when a zone is no more"""
    schedules.set("bad")
    schedules.set("good")
    await fire_due(scheduler)
    schedules.db.execute(f"update pgqueue.schedule set {column} where name = 'bad'".encode())
    clock.advance(301)
    assert await fire_due(scheduler) == 1
    seen = schedules.look("bad")
    assert (seen.state, said in seen.error) == ("disabled", True)
    assert schedules.due() == []


async def test_trouble_of_the_server_disables_nothing(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue
) -> None:
    """A failing insert rolls the slot back, and it is fired when the trouble is over."""
    schedules.set()
    await fire_due(scheduler)
    trouble = (
        "create function public.trouble() returns trigger language plpgsql as "
        "$$ begin raise exception using errcode = '53100', message = 'disk full'; end $$;"
        "create trigger trouble before insert on pgqueue.r_orders for each row execute function public.trouble()"
    )
    schedules.db.execute(trouble.encode())
    clock.advance(301)
    assert await fire_due(scheduler) == 0
    assert (schedules.look().state, schedules.look().last_slot, schedules.sent()) == ("active", None, [])
    schedules.db.execute("drop trigger trouble on pgqueue.r_orders")
    assert await fire_due(scheduler) == 1


async def test_failing_advance_rolls_the_message_back(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue
) -> None:
    """U137, F59"""
    schedules.set()
    await fire_due(scheduler)
    schedules.db.execute(
        "alter table pgqueue.schedule add constraint stuck check (last_slot is null) not valid"
    )
    clock.advance(301)
    assert await fire_due(scheduler) == 0
    assert schedules.sent() == []
    schedules.db.execute("alter table pgqueue.schedule drop constraint stuck")
    assert await fire_due(scheduler) == 1
    assert schedules.sent() == [START + FIVE]


async def test_waiting_reader_is_woken(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue, database: Database
) -> None:
    schedules.set()
    await fire_due(scheduler)
    clock.advance(301)
    ears = database.connect()
    ears.execute("listen pgqueue_orders")
    assert rows(ears, "select * from pgqueue.read_or_await('orders', '10 min')") == []
    await fire_due(scheduler)
    assert len(list(ears.notifies(timeout=5, stop_after=1))) == 1


async def test_runs_of_one_group_do_not_overlap(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue
) -> None:
    schedules.set(group_key="tick")
    await until(clock, START + 11 * MINUTE, 60, scheduler)
    orders = Queue(schedules.db)
    first = orders.read_one(qty=10)
    assert orders.read(qty=10) == []
    orders.call("delete", msg_id=first.msg_id, receipt=first.receipt)
    assert len(orders.read(qty=10)) == 1


async def test_open_sender_of_the_group_is_not_waited_for_longer_than_five_seconds(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue, other: Schedules
) -> None:
    """The time-out is the function's own; the test shortens it, and finds the shipped one in the catalogue."""
    db = schedules.db
    assert "lock_timeout=5s" in scalar(db, "select proconfig from pg_proc where proname = 'fire_schedule'")
    signature = scalar(db, "select oid::regprocedure::text from pg_proc where proname = 'fire_schedule'")
    db.execute(f"alter function {signature} set lock_timeout = '50ms'".encode())
    schedules.set("tick", group_key="g")
    schedules.set("tock")
    await fire_due(scheduler)
    clock.advance(301)
    with other.db.transaction():
        Queue(other.db).send(group_key="g")
        assert await fire_due(scheduler) == 1
    assert await fire_due(scheduler) == 1
    assert schedules.look("tick").state == "active"


async def test_many_schedules_are_fired_some_at_a_time(
    schedules: Schedules, clock: Clock, scheduler: AsyncPgQueue
) -> None:
    for n in range(25):
        schedules.set(f"s{n:02}")
    assert await fire_due(scheduler) == 0
    clock.advance(301)
    assert [await fire_due(scheduler, 10) for _ in range(4)] == [10, 10, 5, 0]


async def test_verbs_of_python(database: Database, clock: Clock, scheduler: AsyncPgQueue) -> None:
    with PgQueue(database.conninfo) as client:
        client.create_queue("orders")
        sending = message_calls.send("orders", {"task": "count"}, headers={"from": "me"})
        berlin = schedule.Options("Europe/Berlin", "all", 7, timedelta(seconds=30))
        assert schedule.set_schedule(client, "tick", "@daily", sending, berlin) is schedule.Change.CREATED
        assert (
            schedule.set_schedule(client, "tick", "0 0 * * *", sending, berlin) is schedule.Change.UNCHANGED
        )
        (info,) = client.run(calls.schedules("tick"))
        assert (info.state, info.cron, info.timezone, info.catch_up, info.catch_up_most) == (
            "new",
            "0 0 * * *",
            "Europe/Berlin",
            "all",
            7,
        )
        assert (info.jitter, info.message, info.headers) == (
            timedelta(seconds=30),
            {"task": "count"},
            {"from": "me"},
        )
        with database.connect(autocommit=False) as connection:
            assert schedule.fire_schedule_now(connection, "tick") is not None
            connection.rollback()
        assert client.metrics("orders")[0].depth == 0
        assert client.run(calls.pause_schedule("tick", "moving")) is True
        assert client.run(calls.resume_schedule("tick")) == "resumed"
        await fire_due(scheduler)
        assert client.run(calls.schedules("tick"))[0].next_at == datetime(2030, 1, 1, 23, tzinfo=UTC)
        assert schedule.delete_schedule(client, "tick") is True
        assert client.run(calls.schedules()) == []


async def test_scheduler_needs_the_consumers_role_only(
    schedules: Schedules, clock: Clock, database: Database
) -> None:
    schedules.set()
    async with AsyncPgQueue(f"{database.conninfo} options='-c role=pgqueue_consumer'") as scheduler:
        assert await until(clock, START + 6 * MINUTE, 60, scheduler) == 1
    with (
        database.connect(options="-c role=pgqueue_consumer") as consumer,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        Schedules(consumer).set("other")
