"""Count what the Python files of an interpreter's standard library hold: one message a file, one row a file.

Run it by hand:

    pgqueue queues create demo_census --set vt=5
    pgqueue consume demo_census --app census:app
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

from pgqueue import App, Bury, Context, Identity

QUEUE = "demo_census"
app = App()


@app.task("census.count_file", queue=QUEUE, identity=Identity(key="path"))
def count_file(ctx: Context, path: str) -> None:
    """Parse one file and store what was found in the transaction that also acks the message."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(Path(path).read_bytes())
    except (SyntaxError, ValueError) as error:
        # No retry will make this file parse: to the dead letters, with the reason.
        raise Bury("does not parse", f"{path}: {type(error).__name__}: {error}") from error
    nodes = [type(node).__name__ for node in ast.walk(tree)]
    with ctx.tx() as connection:
        connection.execute(
            "insert into pgqueue_demo.counted (path, functions, classes, nodes, attempt) values (%s, %s, %s, %s, %s)",
            (
                path,
                nodes.count("FunctionDef") + nodes.count("AsyncFunctionDef"),
                nodes.count("ClassDef"),
                len(nodes),
                ctx.attempt,
            ),
        )
