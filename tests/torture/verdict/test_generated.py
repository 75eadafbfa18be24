"""Every correct execution passes, and what is planted into one is caught."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.torture.verdict.chronicle import QUEUE, VT, Chronicle
from tests.torture.verdict.world import World
from tests_integration.torture.verdict.judge import Verdict

Line = dict[str, Any]
Planted = Callable[[Chronicle, random.Random], object]
SEEDS = st.integers(0, 10**6)
UNHURRIED = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def lived(seed: int, extra: int) -> Chronicle:
    world = World(random.Random(seed))
    world.live(extra)
    return world.chronicle


def judged(chronicle: Chronicle) -> Verdict:
    with tempfile.TemporaryDirectory() as folder:
        return chronicle.finish().judged(Path(folder))


def every(chronicle: Chronicle, op: str, kind: str) -> Iterator[Line]:
    for lines in chronicle.lines.values():
        yield from (line for line in lines if line["op"] == op and line["type"] == kind)


def pick(chance: random.Random, lines: Iterator[Line] | list[Line]) -> Line:
    return chance.choice(list(lines))


def confirmed_ids(chronicle: Chronicle) -> set[int]:
    return {line["ids"][0] for line in every(chronicle, "send", "ok")}


def claims(chronicle: Chronicle) -> dict[int, list[Line]]:
    """Return the claims of each message, in their order."""
    found: dict[int, list[Line]] = {}
    for line in sorted(every(chronicle, "claim", "ok"), key=lambda line: line["t"]):
        found.setdefault(line["got"][0][0], []).append(line)
    return found


def drop(chronicle: Chronicle, unwanted: Callable[[Line], bool]) -> None:
    """Take operations out of the files, so that no gap shows."""
    for p, lines in chronicle.lines.items():
        gone = {line["n"] for line in lines if unwanted(line)}
        kept = [line for line in lines if line["n"] not in gone]
        numbers = {n: index for index, n in enumerate(dict.fromkeys(line["n"] for line in kept), 1)}
        chronicle.lines[p] = [line | {"n": numbers[line["n"]]} for line in kept]
        chronicle._numbers[p] = len(numbers) + 1


# --- what is planted


def drop_an_effect(chronicle: Chronicle, chance: random.Random) -> None:
    confirmed = {(line["p"], line["n"]) for line in every(chronicle, "effect", "ok")}
    receipts = {
        line["receipt"]
        for line in every(chronicle, "effect", "invoke")
        if (line["p"], line["n"]) in confirmed
    }
    rows = [row for row in chronicle.tables["effects"] if row["receipt"] in receipts]
    chronicle.tables["effects"].remove(pick(chance, rows))


def repeat_an_effect(chronicle: Chronicle, chance: random.Random) -> None:
    chronicle.tables["effects"].append(pick(chance, chronicle.tables["effects"]))


def lose_a_confirmed_send(chronicle: Chronicle, chance: random.Random) -> None:
    sent = confirmed_ids(chronicle)
    lost = pick(chance, [line for line in every(chronicle, "ack", "ok") if line["outcomes"] == ["done"]])
    ids = [
        line["ids"][0]
        for line in every(chronicle, "ack", "invoke")
        if (line["p"], line["n"]) == (lost["p"], lost["n"])
    ]
    msg_id = ids[0]
    if msg_id not in sent:
        chronicle.send(f"u{msg_id}", msg_id, digest=1000 + msg_id)
    drop(
        chronicle,
        lambda line: (
            line.get("ids") == [msg_id] and line["op"] in {"ack", "nack"} and line["type"] == "invoke"
        ),
    )


def overlap_two_leases(chronicle: Chronicle, chance: random.Random) -> None:
    first, second = pick_two(chronicle, chance)
    second[4] = first[4] + 1000
    second[5] = second[4] + VT * 1000


def pick_two(chronicle: Chronicle, chance: random.Random) -> tuple[list[Any], list[Any]]:
    """Return two leases of one message, of which the first lapsed."""
    given_back = {line["receipts"][0] for line in every(chronicle, "nack", "invoke")}
    lapsed = [
        (a["got"][0], b["got"][0])
        for chain in claims(chronicle).values()
        for a, b in itertools.pairwise(chain)
        if a["got"][0][1] not in given_back
    ]
    return chance.choice(lapsed)


def delay_a_redelivery(chronicle: Chronicle, chance: random.Random) -> None:
    """Let nothing happen for longer than allowed, while a message is visible."""
    first, second = pick_two(chronicle, chance)
    begin, length = second[4] - 1, 20_000_000
    chronicle.config["stuck_us"] = 10_000_000
    for p in chronicle.lines:
        for line in chronicle.lines[p]:
            if line["t"] > begin * 1000:
                line["t"] += length * 1000
    for line in every(chronicle, "claim", "ok"):
        for row in line["got"]:
            if row[4] > begin:
                row[4] += length
                row[5] += length
    for row in chronicle.tables["final-dead"]:
        row["db_died"] += length if row["db_died"] > begin else 0
    chronicle.now += length // 1000
    assert first[5] <= begin + 1


def invent_a_uid(chronicle: Chronicle, chance: random.Random) -> None:
    pick(chance, every(chronicle, "claim", "ok"))["got"][0][6] = "invented"


def change_a_payload(chronicle: Chronicle, chance: random.Random) -> None:
    pick(chance, every(chronicle, "claim", "ok"))["got"][0][7] += 1


def ack_by_an_unknown_receipt(chronicle: Chronicle, chance: random.Random) -> None:
    done = {(line["p"], line["n"]) for line in every(chronicle, "ack", "ok") if line["outcomes"] == ["done"]}
    acks = [line for line in every(chronicle, "ack", "invoke") if (line["p"], line["n"]) in done]
    pick(chance, acks)["receipts"] = [10**9]


def accept_a_late_ack(chronicle: Chronicle, chance: random.Random) -> None:
    chain = chance.choice([chain for chain in claims(chronicle).values() if len(chain) > 1])
    msg_id, receipt = chain[0]["got"][0][:2]
    chronicle.ack("consumer-9.1", msg_id, receipt)


def hide_a_kill(chronicle: Chronicle, chance: random.Random) -> None:
    kills = {line["n"] for line in every(chronicle, "fault_begin", "invoke") if line["class"] == "kill"}
    pick(chance, [line for line in every(chronicle, "fault_begin", "ok") if line["n"] in kills])["pids"] = []


def run_a_handler_again(chronicle: Chronicle, chance: random.Random) -> None:
    runs = list(every(chronicle, "start", "invoke"))
    uids = [line["uid"] for line in runs]
    again = pick(chance, [line for line in runs if uids.count(line["uid"]) == 1])
    fields = {
        name: again[name] for name in ("queue", "msg_id", "receipt", "read_ct", "release_ct", "uid", "hash")
    }
    chronicle.op(again["p"], "start", result={"answer": "done"}, **fields)


def lose_a_dead_letter(chronicle: Chronicle, chance: random.Random) -> None:
    poison = {
        line["sends"][0][0] for line in every(chronicle, "send", "invoke") if line["sends"][0][2] == "poison"
    }
    rows = [row for row in chronicle.tables["final-dead"] if row["uid"] in poison]
    chronicle.tables["final-dead"].remove(pick(chance, rows))


def forget_a_read(chronicle: Chronicle, chance: random.Random) -> None:
    chain = chance.choice([chain for chain in claims(chronicle).values() if len(chain) > 1])
    chain[1]["got"][0][2] = chain[0]["got"][0][2]


def send_twice(chronicle: Chronicle, chance: random.Random) -> None:
    uid, digest, _ = pick(chance, every(chronicle, "send", "invoke"))["sends"][0]
    seen = [line["got"][0] for line in every(chronicle, "claim", "ok")]
    if uid not in {row[6] for row in seen}:  # a send in doubt that came to nothing
        uid, digest = seen[0][6], seen[0][7]
    chronicle.claim("consumer-9.1", 10**6, 10**6, uid=uid, digest=digest)
    chronicle.run("consumer-9.1", 10**6, 10**6, uid=uid, digest=digest)
    chronicle.ack("consumer-9.1", 10**6, 10**6)


def deliver_after_the_ack(chronicle: Chronicle, chance: random.Random) -> None:
    done = {(line["p"], line["n"]) for line in every(chronicle, "ack", "ok") if line["outcomes"] == ["done"]}
    ids = [line["ids"][0] for line in every(chronicle, "ack", "invoke") if (line["p"], line["n"]) in done]
    msg_id = chance.choice(ids)
    last = claims(chronicle)[msg_id][-1]["got"][0]
    chronicle.wait(2 * VT)
    chronicle.claim("consumer-9.1", msg_id, 10**6, read_ct=last[2] + 1, release_ct=last[3], digest=last[7])


def forget_the_counting(chronicle: Chronicle, _: random.Random) -> None:
    """Let a message go round for ever, as if nobody counted."""
    chronicle.send("uround", 10**6, "poison", digest=5)
    for number in range(7):
        chronicle.claim("consumer-9.1", 10**6, 10**6 + number, uid="uround", digest=5)
        chronicle.wait(VT)
    chronicle.tables["final-dead"].append(
        {"queue": QUEUE, "msg_id": 10**6, "reason": "poison", "error": "x", "read_ct": 3, "release_ct": 0,
         "db_died": chronicle.now * 1000, "uid": "uround", "hash": 5}
    )  # fmt: skip


CAUGHT: list[tuple[Planted, str]] = [
    (drop_an_effect, "effects"),
    (repeat_an_effect, "effects"),
    (lose_a_confirmed_send, "lost"),
    (overlap_two_leases, "overlap"),
    (delay_a_redelivery, "stuck"),
    (invent_a_uid, "unexpected"),
    (change_a_payload, "unexpected"),
    (ack_by_an_unknown_receipt, "phantom_ack"),
    (accept_a_late_ack, "late_effect"),
    (hide_a_kill, "died_unexplained"),
    (run_a_handler_again, "unexplained_duplicate"),
    (lose_a_dead_letter, "lost"),
    (forget_a_read, "read_ct_fell"),
    (send_twice, "doubled"),
    (deliver_after_the_ack, "delivered_after_ack"),
    (forget_the_counting, "unbounded"),
]


@given(seed=SEEDS, extra=st.integers(0, 60))
@settings(UNHURRIED, max_examples=40)
def test_a_correct_execution_passes(seed: int, extra: int) -> None:
    verdict = judged(lived(seed, extra))
    assert verdict.violations == {}
    assert verdict.report["figures"]["duplicates_by_cause"].get("unexplained", 0) == 0
    assert verdict.report["figures"]["duplicates"] > 0


@pytest.mark.parametrize(("plant", "violation"), CAUGHT, ids=lambda value: getattr(value, "__name__", value))
@given(seed=SEEDS)
@settings(UNHURRIED, max_examples=8)
def test_what_is_planted_is_caught(plant: Planted, violation: str, seed: int) -> None:
    chronicle = lived(seed, 10)
    plant(chronicle, random.Random(seed))
    assert violation in judged(chronicle).violations
