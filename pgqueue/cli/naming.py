"""What a process is called in the database."""

from __future__ import annotations

import os
import secrets
import socket


def holder() -> str:
    """Name this process in leases, host:pid:random.

    In the lease of a message it is for people, never a proof. In the lease of a leader it is part of the proof, which no
    other process can have by chance.
    """
    return f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(3)}"
