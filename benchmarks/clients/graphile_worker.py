"""graphile-worker: `fill` and `left` by its SQL functions and its view, `install` and `work` by its program for Node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg

from benchmarks.clients.url import url_of

PROGRAM = Path(__file__).parent / "graphile" / "worker.mjs"
ADD = (
    "select count(*) from graphile_worker.add_jobs("
    "array(select json_populate_record(null::graphile_worker.job_spec, "
    "json_build_object('identifier', 'noop', 'payload', %s::json)) from generate_series(1, %s)))"
)


def fill(dsn: str, count: int, payload: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("truncate graphile_worker._private_jobs")
        connection.execute(ADD, [payload, count])


def left(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from graphile_worker.jobs").fetchone()
        return int(row[0]) if row else 0


def main() -> None:
    verb, dsn, *rest = sys.argv[1:]
    if verb == "fill":
        fill(dsn, int(rest[0]), rest[1])
    elif verb == "left":
        print(left(dsn))
    elif verb == "install":
        subprocess.run(["node", str(PROGRAM), "install", url_of(dsn)], check=True)
    else:
        os.execvp("node", ["node", str(PROGRAM), "work", url_of(dsn)])  # noqa: S606 - signals are to reach it


if __name__ == "__main__":
    main()
