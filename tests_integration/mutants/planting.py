"""Plant a mutant: change the text of one queue's functions, and be sure that something changed."""

from __future__ import annotations

import re
from dataclasses import dataclass

import psycopg

QUEUE = "x"


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in one function of the queue `x`; `old` matches whatever the white space between its words."""

    function: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """The shipped SQL without one guard: `name` says which one is gone."""

    name: str
    edits: tuple[Edit, ...]
    sql: str = ""  # run before the edits

    def plant(self, connection: psycopg.Connection) -> None:
        if self.sql:
            connection.execute(self.sql.encode())
        for edit in self.edits:
            rewrite(connection, edit)


def mutant(name: str, function: str, old: str, new: str = "", *more: Edit, sql: str = "") -> Mutant:
    return Mutant(name, (Edit(function, old, new), *more), sql)


def rewrite(connection: psycopg.Connection, edit: Edit) -> None:
    """Replace every occurrence; fail when there is none, for then the mutant has rotted."""
    name = f"{edit.function}__{QUEUE}"
    definitions = connection.execute(
        "select pg_get_functiondef(p.oid) from pg_proc p where p.pronamespace = 'pgqueue'::regnamespace and p.proname = %s",
        [name],
    ).fetchall()
    if len(definitions) != 1:
        raise LookupError(f"{len(definitions)} functions are called {name}")
    body: str = definitions[0][0]
    pattern = r"\s+".join(re.escape(word) for word in edit.old.split())
    changed, times = re.subn(pattern, lambda _: edit.new, body)
    if not times or changed == body:
        raise LookupError(f"{name} has no longer: {edit.old}")
    connection.execute(changed.encode())
