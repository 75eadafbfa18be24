"""What the counters of a message promise."""

from __future__ import annotations

import itertools
from typing import Any

from tests_integration.torture.checker.crashes import Crashes
from tests_integration.torture.checker.finding import Findings
from tests_integration.torture.checker.leases import Lease
from tests_integration.torture.checker.model import Delivery


def check_read_ct(leases: dict[int, list[Lease]], crashes: Crashes, findings: Findings) -> dict[str, int]:
    """From one durable claim to the next read_ct rises, and what counts of it never falls."""
    by_crash = 0
    for msg_id, chain in leases.items():
        for lease, following in itertools.pairwise(chain):
            first, second = lease.given, following.given
            rises = second.read_ct > first.read_ct
            keeps = second.read_ct - second.release_ct >= first.read_ct - first.release_ct
            if rises and keeps:
                continue
            if crashes.may_have_lost(first.op, second.op.ended or second.op.invoked):
                by_crash += 1
                continue
            findings.add(
                "counted_reads_fell" if rises else "read_ct_did_not_rise",
                msg_id=msg_id, first=[first.op.process, first.op.number, first.read_ct, first.release_ct],
                second=[second.op.process, second.op.number, second.read_ct, second.release_ct],
            )  # fmt: skip
    return {"read_ct_repeated_after_a_crash": by_crash}


def check_cap(given: list[Delivery], dead: list[list[Any]], cap: int, findings: Findings) -> None:
    """No read hands out anything past the hard cap, and nothing dies of it before. A pop asks for no cap."""
    for msg_id, reason, read_ct, release_ct, _ in dead:
        if reason == "hard_cap" and read_ct - release_ct < cap:
            findings.add("dead_below_the_cap", msg_id=msg_id, read_ct=read_ct, release_ct=release_ct)
    for one in given:
        if one.op.name == "read" and one.read_ct - one.release_ct > cap:
            findings.add(
                "delivered_past_the_cap", msg_id=one.msg_id, read_ct=one.read_ct, release_ct=one.release_ct,
                reader=one.op.process, read=one.op.number,
            )  # fmt: skip
