"""Values of the claim room."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

# What `once` answers when it didn't do the work: it was done under the claim before; or it was finished elsewhere.
SKIPPED_DUPLICATE = "skipped_duplicate"
SKIPPED_TERMINAL = "skipped_terminal"


class ClaimInfo(NamedTuple):
    """One row of `pgqueue.claims`. `state`: running, lapsed, free or done."""

    name: str
    key: str
    state: str
    token: int
    holder: str | None
    takeovers: int
    claimed_at: datetime
    expires_at: datetime
    done_at: datetime | None
