"""Each slot of a schedule is one message; which slots there are is reckoned here, from the rule and the clock alone."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Fields
from tests_integration.torture.verdict.model import History

MINUTE_US = 60_000_000
LATE_US = MINUTE_US  # under skip a slot is fired until then
BEHIND_US = 5_000_000  # of the database's clock: a round on a busy machine
SLACK_US = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """The minutes of a rule that has nothing but minutes: *, */n or a list."""

    cron: str
    timezone: str

    def slots(self, begin: int, end: int) -> list[int]:
        """Return the slots from one instant until before another, µs."""
        return [at for at in self._minutes(begin, end) if self._fits(at)]

    def _minutes(self, begin: int, end: int) -> Iterator[int]:
        first = -(-begin // MINUTE_US) * MINUTE_US
        return iter(range(first, end, MINUTE_US))

    def _fits(self, at: int) -> bool:
        minutes, *rest = self.cron.split()
        if rest != ["*"] * 4:
            raise ValueError(f"a rule of more than minutes: {self.cron}")
        shown = (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(self.timezone)).minute
        if minutes.startswith("*"):
            return shown % int(minutes.partition("/")[2] or 1) == 0
        return shown in set(map(int, minutes.split(",")))


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Go over the plans of every schedule, each from one next slot to the following."""
    timetable = history.config.get("timetable")
    if not timetable:
        return {}
    told = history.coordination
    counts: Counter[str] = Counter()
    for name, settings in timetable["schedules"].items():
        rule = Rule(settings["cron"], settings["timezone"])
        fired = [one["slot"] for one in told.slots[name]]
        for slot, times in Counter(fired).items():
            if times > 1:
                messages = [one["msg_id"] for one in told.slots[name] if one["slot"] == slot]
                _report(name, f"fired {times} times", findings, slot=slot, messages=messages)
        steps = _check_plans(name, settings["catch_up"], rule, sorted(set(fired)), history, findings)
        counts["fired"] += len(fired)
        counts["left_out"] += steps - len(set(fired))
        _check_last(name, timetable["speed"], history, findings)
    return {"slots_fired": counts["fired"], "slots_left_out": counts["left_out"]}


def _report(name: str, why: str, findings: Findings, **more: object) -> None:
    findings.add("slots", schedule=name, why=why, **more)


def _check_plans(
    name: str, catch_up: str, rule: Rule, fired: list[int], history: History, findings: Findings
) -> int:
    """Compare what was fired in each step with what the policy says; return how many slots the rule has."""
    plans = history.coordination.plans[name]
    if not plans:
        _report(name, "it was never planned", findings)
        return len(fired)
    for slot in fired:
        if not plans[0]["next"] <= slot < plans[-1]["next"]:
            _report(name, "fired outside of every plan", findings, slot=slot)
    total = 0
    for before, after in itertools.pairwise(plans):
        wanted = rule.slots(before["next"], after["next"])
        total += len(wanted)
        sent = [slot for slot in fired if before["next"] <= slot < after["next"]]
        why = _unfit(catch_up, wanted, sent, after, steps=history.clock.steps)
        if why:
            _report(name, why, findings, wanted=wanted[-5:], sent=sent[-5:], plan=after)
    if not rule.slots(plans[-1]["next"], plans[-1]["next"] + 1):
        _report(name, "the next slot is none of the rule", findings, plan=plans[-1])
    return total


def _unfit(catch_up: str, wanted: list[int], sent: list[int], plan: Fields, *, steps: int) -> str:
    """Say what is wrong with one step from slot to slot; empty when nothing is."""
    if not wanted:
        return "it did not go forward"
    if not steps and any(slot > plan["fast"] + SLACK_US for slot in sent):
        return "fired before its time"
    if catch_up == "all":
        return "" if sent == wanted else "not every slot was fired"
    if catch_up == "latest":
        return "" if sent == wanted[-1:] else "not just the latest slot was fired"
    if sent:
        return "" if sent == wanted[-1:] else "another slot than the latest was fired"
    late = steps or plan["fast"] + SLACK_US >= wanted[-1] + LATE_US
    return "" if late else "left out though it was in time"


def _check_last(name: str, speed: int, history: History, findings: Findings) -> None:
    """When the schedules were stopped, everything being healed, no slot was long due."""
    plans, stopped = history.coordination.plans[name], history.coordination.stopped
    if stopped is None:
        _report(name, "nobody has noted when the schedules were stopped", findings)
    elif plans and plans[-1]["next"] < stopped - BEHIND_US * speed:
        behind = (stopped - plans[-1]["next"]) / speed / 1e6
        _report(name, f"{behind:.1f} s behind in the end", findings, plan=plans[-1])
