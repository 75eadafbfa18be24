from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pgqueue.consumer.channel import LARGEST_BACKLOG, Channel
from pgqueue.consumer.model import Verb
from pgqueue.consumer.report import Beat, Phase, PlanLine, QueueCounts, Report, decode, encode
from tests.consumer.conftest import PLAN, Clock, held


@pytest.fixture
def lines() -> list[bytes]:
    return []


@pytest.fixture
def report(clock: Clock, lines: list[bytes]) -> Report:
    return Report(tell=lines.append, now=clock)


def test_what_was_done_is_counted_by_queue(report: Report, clock: Clock) -> None:
    mine, other = [held(msg_id=n) for n in (1, 2)], held(plan=replace(PLAN, queue="mails"))
    report.read(PLAN, mine)
    report.read(other.plan, [other])
    report.read(PLAN, [])
    for one in mine:
        one.started_at = clock.now
        report.started(one)
    clock.now += 1.5
    report.ended(mine[0], Verb.DELETE)
    report.ended(mine[1], Verb.NOTHING)
    report.finished(mine[:1], Verb.DELETE, settled=True)
    report.finished([other], Verb.RELEASE, settled=False)
    queues = report.beat(0, 0).queues
    assert queues["orders"] == QueueCounts(2, 2, 3.0, 0, {"delete": 1})
    assert queues["mails"] == QueueCounts(claimed=1)


def test_reads_that_fail_are_told_with_the_longest_of_all_queues(report: Report, clock: Clock) -> None:
    other = replace(PLAN, queue="mails")
    report.read_failed(PLAN)
    clock.now += 3
    report.read_failed(other)
    report.read_failed(PLAN)
    clock.now += 4
    assert report.beat(0, 0).failing_for == 7
    report.read(PLAN, [])
    assert report.beat(0, 0).failing_for == 4
    report.read(other, [])
    assert report.beat(0, 0).failing_for == 0
    assert report.beat(0, 0).queues["orders"].failed_reads == 2


def test_one_queue_that_is_read_is_enough_for_the_reads_not_to_fail_all(report: Report, clock: Clock) -> None:
    other = replace(PLAN, queue="mails")
    report.expect([PLAN, other])
    report.read_failed(other)
    clock.now += 60
    assert (report.beat(0, 0).failing_for, report.beat(0, 0).all_failing_for) == (60, 0)
    report.read_failed(PLAN)
    clock.now += 3
    assert (report.beat(0, 0).failing_for, report.beat(0, 0).all_failing_for) == (63, 3)
    report.read(other, [])
    assert (report.beat(0, 0).failing_for, report.beat(0, 0).all_failing_for) == (3, 0)


def test_what_is_done_while_a_beat_is_written_does_it_no_harm(report: Report) -> None:
    other = replace(PLAN, queue="mails")
    report.read(PLAN, [held()])
    report.finished([held()], Verb.DELETE, settled=True)
    told = report.beat(0, 0)
    queues, settled = iter(told.queues), iter(told.queues["orders"].settled)
    assert (next(queues), next(settled)) == ("orders", "delete")
    report.finished([held()], Verb.RETRY, settled=True)
    report.read(other, [held(plan=other)])
    assert (list(queues), list(settled)) == ([], [])
    assert report.beat(0, 0).queues["orders"].settled == {"delete": 1, "retry": 1}


def test_reading_loop_that_stands_still_is_told_only_while_it_should_go_round(
    report: Report, clock: Clock
) -> None:
    clock.now += 9
    assert report.beat(0, 0).turn_age == 0
    report.phase = Phase.CONSUMING
    assert report.beat(0, 0).turn_age == 9
    report.turned()
    assert report.beat(0, 0).turn_age == 0


def test_plans_are_told_before_anything_is_claimed(report: Report, lines: list[bytes]) -> None:
    report.expect([PLAN])
    report.read(PLAN, [held()])
    assert [decode(line) for line in lines] == [
        PlanLine(0, "orders", PLAN.vt, PLAN.health_stale, PLAN.backoff)
    ]
    assert report.shortest_vt == PLAN.vt


def test_beat_and_plan_survive_the_way(report: Report, lines: list[bytes]) -> None:
    report.read(PLAN, [held()])
    report.finished([held()], Verb.DELETE, settled=True)
    told = report.beat(0.5, 1 << 40)
    assert decode(encode("beat", told)) == told
    (line,) = lines
    assert decode(line) == PlanLine(0, "orders", PLAN.vt, PLAN.health_stale, PLAN.backoff)
    assert decode(encode("drain")) == "drain"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"is":"beat"}',
        b'{"is":"plan","number":1}',
        b'{"of":1}',
        b"\xff",
        b'{"is":"beat","queues":[]}',
    ],
)
def test_what_is_no_line_of_ours_is_none(line: bytes) -> None:
    assert decode(line) is None


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def test_lines_are_put_together_from_pieces(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    peer.sendall(b"one\ntw")
    assert channel.receive() == [b"one"]
    peer.sendall(b"o\nthree\n")
    assert channel.receive() == [b"two", b"three"]
    assert channel.open
    peer.close()
    assert channel.receive() == []
    assert not channel.open


def test_peer_that_doesnt_read_blocks_nobody_and_gets_whole_lines(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, peer = ends
    line = b"x" * 999 + b"\n"
    for _ in range(5_000):
        channel.send(line)
    peer.setblocking(False)
    received = bytearray()
    while True:
        try:
            received += peer.recv(1 << 16)
        except BlockingIOError:
            break
        channel.send(b"")  # nothing new: what was kept goes on
    assert len(received) > LARGEST_BACKLOG
    assert set(bytes(received).split(b"\n")[:-1]) == {b"x" * 999}


def test_peer_that_is_gone_does_no_harm(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    peer.close()
    channel.send(encode("beat", Beat()))
    channel.send(encode("beat", Beat()))
