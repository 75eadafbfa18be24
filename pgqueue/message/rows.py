"""Reads answers of the message functions, row by row: one hostile payload never costs its neighbours."""

from __future__ import annotations

from pgqueue.call import Rows
from pgqueue.message.model import Message, Outcome, WaitingMessage, decode_columns

_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


def messages_of(rows: Rows) -> list[Message]:
    """Build messages from the columns of `pgqueue.message`, JSON as text."""
    messages = []
    for row in rows:
        (payload, headers), broken = decode_columns(row[5:7])
        messages.append(Message._make((*row[:5], payload, headers, *row[7:], broken)))
    return messages


def waiting_of(rows: Rows) -> list[WaitingMessage]:
    """Build rows of peek; the JSON columns come last."""
    waiting = []
    for row in rows:
        (payload, headers), broken = decode_columns(row[12:14])
        waiting.append(WaitingMessage._make((*row[:12], payload, headers, broken)))
    return waiting


def outcome_of(rows: Rows) -> Outcome:
    """Read the one outcome of a settling verb."""
    return _OUTCOMES[rows[0][0]]


def outcomes_of(rows: Rows) -> dict[int, Outcome]:
    """Read the outcome of each distinct msg_id of a batch."""
    return {msg_id: _OUTCOMES[outcome] for msg_id, outcome in rows}


def done_anyway(rows: Rows) -> Outcome:
    """Read a repeated release or retry: they end the receipt, so a dead one says the first run did it."""
    outcome = outcome_of(rows)
    return Outcome.DONE if outcome in (Outcome.GONE, Outcome.STALE) else outcome


def all_gone_are_done(rows: Rows) -> dict[int, Outcome]:
    """Read a repeated ack or burial by whoever holds the lease: what is gone went with the first run."""
    found = outcomes_of(rows)
    return {msg_id: Outcome.DONE if outcome is Outcome.GONE else outcome for msg_id, outcome in found.items()}


def all_done_anyway(rows: Rows) -> dict[int, Outcome]:
    """Do the same for a repeated batch."""
    return {msg_id: done_anyway([(outcome,)]) for msg_id, outcome in rows}
