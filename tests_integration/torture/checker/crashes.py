"""Crashes of the server, and what an asynchronous commit before one may have lost."""

from __future__ import annotations

from tests_integration.torture.checker.model import History, Operation

CRASHES = ("immediate", "kill_server")
LOSS_NS = 2_000_000_000  # three times wal_writer_delay is 0.6 s; the rest is for a busy machine


class Crashes:
    """When the server went down and when it was up again, monotonic ns."""

    def __init__(self, history: History) -> None:
        faults = [op for op in history.named("fault") if op.args["fault"] in CRASHES]
        self.windows = [(op.invoked, op.ended or op.invoked) for op in faults]

    def may_have_lost(self, op: Operation, by: int) -> bool:
        """Whether a crash before `by` may have taken back this operation, which was confirmed."""
        if not op.asynchronous or op.sure_from is None:
            return False
        return any(down - LOSS_NS <= op.sure_from <= up and down <= by for down, up in self.windows)
