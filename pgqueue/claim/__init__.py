"""Claims: the exclusive, expiring right to a named key, and the tombstone that says that its work is done.

from pgqueue import claim

claim.once(client, "orchestrate", execution_id, start, finished=is_terminal)
"""

from __future__ import annotations

from pgqueue.claim.model import SKIPPED_DUPLICATE, SKIPPED_TERMINAL
from pgqueue.claim.once import Terms, once, once_async

__all__ = ["SKIPPED_DUPLICATE", "SKIPPED_TERMINAL", "Terms", "once", "once_async"]
