"""What is measured: each cell is one workload, run by several systems side by side."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.systems import DISPATCH, FLOOR, INLINE_HOT, INLINE_VT, OURS, PGMQ, System

SYNC, ASYNC = "sync", "async"
GROUPS = ("send", "send_batch", "read")


@dataclass(frozen=True, slots=True)
class Cell:
    """`qty` messages a transaction (for read: a pair of transactions), `clients` at once."""

    group: str
    qty: int
    clients: int
    commit: str
    systems: tuple[System, ...]

    @property
    def name(self) -> str:
        return (
            f"{self.group} {self.qty}, {self.clients} client{'s' if self.clients > 1 else ''}, {self.commit}"
        )

    @property
    def reads(self) -> bool:
        return self.group == "read"

    @property
    def script(self) -> str:
        if self.reads:
            return "read_ack_one" if self.qty == 1 else "read_ack_many"
        return self.group


def cells(*, full: bool, groups: tuple[str, ...]) -> list[Cell]:
    """The short set, or with `full` more clients and the two reference points of inline statements."""
    extra = (INLINE_VT, INLINE_HOT) if full else ()
    found = [Cell("send", 1, clients, SYNC, (OURS, DISPATCH, PGMQ, FLOOR, *extra)) for clients in (1, 8)]
    found += [
        Cell("send_batch", 100, clients, SYNC, (OURS, DISPATCH, PGMQ, FLOOR, *extra)) for clients in (1, 4)
    ]
    for qty in (1, 10, 100):
        for clients in (1, 4, 8) if full else (1, 4):
            by_name = (DISPATCH,) if full or clients > 1 else ()
            found.append(Cell("read", qty, clients, SYNC, (OURS, *by_name, PGMQ, FLOOR, *extra)))
            found.append(Cell("read", qty, clients, ASYNC, (OURS, PGMQ)))
    return [cell for cell in found if cell.group in groups]
