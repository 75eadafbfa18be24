"""Limits of what is said of a lease. Pure."""

from __future__ import annotations

from pgqueue.errors import InvalidInput
from pgqueue.message.rules import check_key


def check_holder(name: str, holder: str) -> tuple[str, str]:
    """Return the name of a lease and its holder, 1 .. 255 bytes each.

    Two processes under one name would both lead, so a blank holder is refused. Raises: InvalidInput.
    """
    for what, value in (("name", name), ("holder", holder)):
        if check_key(what, value) is None or not value.strip():
            raise InvalidInput(
                f"{what} is blank",
                cure="Give what no other process has: host:pid:random.",
                argument=what,
            )
    return name, holder
