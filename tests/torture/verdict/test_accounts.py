"""Nothing is lost, nothing is invented, one send makes one message."""

from __future__ import annotations

import json
from pathlib import Path

from tests.torture.verdict.chronicle import HASH, QUEUE, VT, Chronicle

A, B = "consumer-0.1", "consumer-1.1"


def test_a_message_sent_run_and_acked_is_fine(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.code == 0
    figures = verdict.report["figures"]
    assert (figures["sent"], figures["confirmed"], figures["delivered"], figures["acked"]) == (1, 1, 1, 1)
    assert figures["duplicates"] == figures["dead"] == figures["in_doubt"] == 0


def test_a_confirmed_message_that_is_nowhere_is_lost_and_named_with_its_line(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.done(A, 1, 11)
    chronicle.send("u2", 2)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"lost": 1}
    case = verdict.report["cases"]["lost"][0]
    assert (case["uid"], case["msg_id"]) == ("u2", 2)
    file, _, span = case["lines"][0].partition(":")
    first, last = map(int, span.split("-"))
    named = [json.loads(line) for line in (tmp_path / file).read_text().splitlines()[first - 1 : last]]
    assert named[0]["sends"] == [["u2", HASH, "plain"]]
    assert named[-1]["ids"] == [2]


def test_a_message_that_waits_is_not_lost_but_stuck(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.waiting(1)
    assert chronicle.finish().judged(tmp_path).violations == {"stuck": 1}


def test_a_message_acked_by_a_worker_that_never_finished_it_is_lost(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.ack(A, 1, 11)
    chronicle.run(A, 1, 11, end="")
    chronicle.kill(A)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"lost": 1}
    assert "no handler finished it" in verdict.report["cases"]["lost"][0]["why"]


def test_an_ack_before_the_handler_is_found_also_where_the_handler_then_finishes(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.ack(A, 1, 11)
    chronicle.run(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {"acked_too_early": 1}


def test_an_ack_whose_reply_was_lost_accounts_for_its_message(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, end="info")
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["acked_in_doubt"] == 1


def test_an_ack_that_was_refused_does_not(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, outcome="stale")
    assert chronicle.finish().judged(tmp_path).violations == {"lost": 1}


def test_a_send_in_doubt_may_have_happened_or_not(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, end="info")
    chronicle.send("u2", 2, end="info")
    chronicle.done(A, 1, 11)
    figures = chronicle.finish().judged(tmp_path).report["figures"]
    assert (figures["in_doubt"], figures["recovered"]) == (2, 1)


def test_a_send_whose_transaction_rolled_back_owes_nothing(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, tx=1)
    chronicle.op("producer-0.1", "rollback", tx=1)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_a_message_of_a_rolled_back_transaction_must_not_be_seen(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, tx=1)
    chronicle.op("producer-0.1", "commit", tx=1, end="fail")
    chronicle.done(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"unexpected": 1}
    assert "rolled back" in verdict.report["cases"]["unexpected"][0]["why"]


def test_a_committed_transaction_is_owed(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, tx=1)
    chronicle.op("producer-0.1", "commit", tx=1)
    assert chronicle.finish().judged(tmp_path).violations == {"lost": 1}


def test_a_message_that_nobody_sent_is_found(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.claim(A, 9, 12, uid="invented")
    chronicle.ack(A, 9, 12)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"unexpected": 1}
    assert verdict.report["cases"]["unexpected"][0]["uid"] == "invented"


def test_another_payload_than_was_sent_is_found(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11, digest=HASH + 1)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {"unexpected": 1}


def test_a_dead_letter_with_another_payload_is_found(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.dead(1, digest=HASH + 1)
    assert chronicle.finish().judged(tmp_path).violations == {"unexpected": 1}


def test_a_message_seen_before_it_was_sent_is_found(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.done(A, 1, 11)
    chronicle.send("u1", 1)
    assert "unexpected" in chronicle.finish().judged(tmp_path).violations


def test_a_send_that_made_two_messages_is_found(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.claim(B, 2, 12, uid="u1")
    chronicle.run(B, 2, 12, uid="u1")
    chronicle.ack(B, 2, 12)
    found = chronicle.finish().judged(tmp_path).violations
    assert found["doubled"] == 1
    assert found["unexplained_duplicate"] == 1


def test_a_send_repeated_with_its_key_is_one_message(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, key="k", end="info")
    chronicle.send("u1", 1, key="k")
    chronicle.done(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["confirmed"] == 1


def test_a_redriven_message_is_the_one_that_was_sent(chronicle: Chronicle, tmp_path: Path) -> None:
    for read_ct in (1, 2, 3):
        chronicle.claim(A, 1, 10 + read_ct, read_ct=read_ct)
        chronicle.run(A, 1, 10 + read_ct, read_ct=read_ct, end="fail")
        chronicle.nack(A, 1, 10 + read_ct)
    chronicle.dead(1)
    chronicle.op("parent", "redrive", queue=QUEUE, ids=[1], result={"pairs": [[1, 5]]})
    chronicle.wait(VT)
    chronicle.claim(B, 5, 21, uid="u1")
    chronicle.run(B, 5, 21, uid="u1")
    chronicle.ack(B, 5, 21)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["duplicates_by_cause"] == {"given back": 2, "operator": 1}
