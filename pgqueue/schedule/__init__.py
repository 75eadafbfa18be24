"""Schedules: cron rules whose slots are sent as messages, each at most once.

from pgqueue import schedule

schedule.set_schedule(client, "nightly", "30 2 * * *", report.call(kind="daily"), schedule.Options("Europe/Berlin"))
"""

from __future__ import annotations

from pgqueue.schedule.model import CatchUp, Change, Options, Slot
from pgqueue.schedule.rules import slot_of
from pgqueue.schedule.verbs import delete_schedule, fire_schedule_now, set_schedule

__all__ = [
    "CatchUp",
    "Change",
    "Options",
    "Slot",
    "delete_schedule",
    "fire_schedule_now",
    "set_schedule",
    "slot_of",
]
