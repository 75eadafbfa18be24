"""Fan out, fan in: a barrier waits for a set of parts and sends one message when the last has ended.

from pgqueue import barrier

barrier.arm(client, "export-7", [page.call(n=n) for n in range(40)], assemble.call(export=7))
"""

from __future__ import annotations

from pgqueue.barrier.model import SKIPPED_DUPLICATE_CALLBACK, Options, Part, Policy
from pgqueue.barrier.verbs import abort, add, arm, results, results_async

__all__ = [
    "SKIPPED_DUPLICATE_CALLBACK",
    "Options",
    "Part",
    "Policy",
    "abort",
    "add",
    "arm",
    "results",
    "results_async",
]
