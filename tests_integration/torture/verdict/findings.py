"""What the checks hand in: violations by name, each with the message and the lines that prove it."""

from __future__ import annotations

from collections import Counter
from typing import Any

SHOWN = 10

# Every one of these must be zero. The sentences are those of the report and of the docs.
VIOLATIONS = {
    "lost": "a confirmed message is neither done by a handler that finished, nor waiting, dead or archived",
    "acked_too_early": "a message was acked before its handler had finished",
    "unexpected": "a message that nobody sent, that was rolled back, or with another payload than was sent",
    "doubled": "one send made two messages",
    "phantom_ack": "a settle was accepted with a receipt that no read ever returned",
    "ack_without_receipt": "a worker settled without a receipt",
    "overlap": "two leases of one message at the same time",
    "short_lease": "a read returned a lease shorter than it was asked for",
    "late_effect": "a settle or a commit was accepted after another worker had taken the lease over",
    "delivered_after_ack": "a message was delivered again after its end had been confirmed",
    "settled_twice": "a message was ended twice, both times confirmed",
    "read_ct_fell": "read_ct did not rise from one lease to the next, or what counts of it fell",
    "unexplained_duplicate": "a handler ran again for no cause that the run knows of",
    "effects": "a message done through its transaction has not exactly one effect",
    "unbounded": "a message was read more often than max_reads + repark_budget allow",
    "ran_past_max_reads": "a handler ran for a message that had used up its reads",
    "poison_not_buried": "a poison message is not in the dead letters, whole and with its error",
    "buried_without_cause": "a dead letter that neither its handler nor its reads account for",
    "stuck": "a message lay visible too long while a consumer was alive and the database reachable",
    "no_progress": "nothing was settled for too long outside of every fault",
    "barrier_lost": "a barrier that was armed is not there, or one is there that nobody armed",
    "barrier_stranded": "a barrier is live after the drain",
    "barrier_ends": "a barrier did not end exactly once, or in a way that it had no cause for",
    "callbacks": "a barrier has not sent exactly the one message that its end asks for",
    "callback_too_early": "a callback was sent, or ran, before every part had ended",
    "two_owners": "a claim was taken while its holder's lease ran",
    "tombstone_ignored": "a claim was taken after its end had been confirmed",
    "claim_undone": "the last holder of a claim is done with its message, and the work under the claim is not",
    "claim_not_fenced": "a claim was changed under another token than the last, or a token did not rise",
    "slots": "a slot of a schedule was fired twice, not at all, or against its rule",
    "two_leaders": "somebody led, or began a chore, while another one had the lease",
    "leaks": "sessions, transactions, processes, sockets or files were left behind",
    "died_unexplained": "a process ended without a word and without a fault that accounts for it",
    "history_broken": "the history is damaged, incomplete, or not in the format",
    "run_without_an_end": "the run did not come to its end",
    "too_little_drained": "too few messages for the run to mean anything",
    "faults_missing": "too few of the planned faults happened",
    "fault_not_healed": "a fault began and its end is not in the history",
}


class Findings:
    """Counts per violation, and the first few cases of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.cases: dict[str, list[dict[str, Any]]] = {}

    def add(self, violation: str, **evidence: object) -> None:
        """Note one case. `uid`, `msg_id` and `lines` (`file:line`) are the usual evidence."""
        if violation not in VIOLATIONS:
            raise KeyError(violation)
        self.counts[violation] += 1
        cases = self.cases.setdefault(violation, [])
        if len(cases) < SHOWN:
            cases.append(evidence)
