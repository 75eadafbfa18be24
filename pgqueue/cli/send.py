"""`pgqueue send`: send messages from the command line or standard input."""

from __future__ import annotations

import io
import json
import sys
from typing import Any, cast

import click

from pgqueue.cli.command import Command
from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.output import print_json
from pgqueue.cli.streams import can_ask
from pgqueue.cli.values import Seconds
from pgqueue.message.rules import MAX_BATCH

MAX_INPUT = 64 * 1024 * 1024
PIECE = 64 * 1024


@click.command("send", cls=Command)
@click.argument("queue")
@click.argument("message", required=False)
@click.option("--lines", is_flag=True, help="Standard input holds one JSON value a line.")
@click.option("--headers", metavar="JSON", help="A JSON object kept beside each message.")
@click.option(
    "--delay", type=Seconds(), default=0.0, show_default=True, help="Not visible before; up to 366 days."
)
@click.option("--key", help="Idempotency key: within its window the same key is sent once.")
@click.option("--group-key", help="Messages of one group are handled one at a time, in order.")
@click.option(
    "--priority", default=0, show_default=True, type=click.IntRange(0, 9), help="Higher is read first."
)
@dsn_option
@json_option
def command(queue: str, message: str | None, *, lines: bool, headers: str | None, **given: Any) -> None:
    """Send MESSAGE, a JSON value, to QUEUE; without MESSAGE the JSON value that standard input holds.

    Prints the msg_id of each message. With --lines up to 10,000 are sent in one go: all of them, or none when
    one line is bad. Standard input is read up to 64 MiB.

    \b
    Example:
      pgqueue send orders '{"id": 7}'
      pgqueue send orders '{"id": 7}' --key order-7 --delay 300
      pgqueue send orders < order.json
      pgqueue send orders --lines < orders.jsonl
    """
    if lines and (message is not None or given["key"] is not None):
        raise click.UsageError("--lines reads standard input: it takes no MESSAGE and no --key")
    values = _read_lines() if lines else [_read_one(message)]
    head: Any = None if headers is None else parse(headers, "--headers")
    options = {name: given[name] for name in ("delay", "priority")}
    group_key, many = given["group_key"], len(values)
    with open_client(given["dsn"]) as client:
        if lines:
            heads = None if head is None else [head] * many
            groups = None if group_key is None else [group_key] * many
            ids = client.send_many(queue, values, headers=heads, group_keys=groups, **options)
        else:
            ids = [
                client.send(queue, values[0], headers=head, key=given["key"], group_key=group_key, **options)
            ]
    for msg_id in ids:
        if given["as_json"]:
            print_json({"queue": queue, "msg_id": msg_id})
        else:
            click.echo(msg_id)


def parse(text: str, where: str) -> Any:
    """Read one JSON value; a mistake is named with line and column.

    Python's own parser: orjson would turn an integer beyond 64 bit into a float in silence.
    """
    if not text.strip():
        raise click.UsageError(f"{where} is empty: pass a JSON value")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if "line" in where else f"line {error.lineno}, column {error.colno}"
        problem = f"{where} is no JSON at {place}: {error.msg}; nothing was sent"
    except (ValueError, RecursionError) as error:
        problem = f"{where} can't be read as JSON: {error}; nothing was sent"
    hint = "" if text.lstrip().startswith(("{", "[", '"')) else ". A string needs its quotes: '\"text\"'"
    raise click.UsageError(problem + hint)


def _read_one(message: str | None) -> Any:
    if message is not None:
        return parse(message.removeprefix("\ufeff"), "MESSAGE")
    if can_ask():
        raise click.UsageError("give MESSAGE, or pipe a JSON value into standard input")
    return parse(_read_input(), "standard input")


def _read_lines() -> list[Any]:
    lines = [(n, line) for n, line in enumerate(_read_input().split("\n"), 1) if line.strip()]
    if not lines:
        raise click.UsageError("standard input is empty: nothing was sent")
    if len(lines) > MAX_BATCH:
        raise click.UsageError(
            f"standard input holds {len(lines)} messages, at most {MAX_BATCH} are sent in one go; nothing was sent."
            f" Split it: split -l {MAX_BATCH}"
        )
    return [parse(line, f"line {n} of standard input") for n, line in lines]


def _read_input() -> str:
    source, data = cast("io.BufferedReader", sys.stdin.buffer), bytearray()
    # In pieces: one long read would not notice Ctrl-C between two of its system calls.
    while len(data) <= MAX_INPUT and (piece := source.read1(PIECE)):
        data += piece
    if len(data) > MAX_INPUT:
        raise click.UsageError(
            f"standard input holds more than {MAX_INPUT} bytes: send it in parts; nothing was sent"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"standard input is not UTF-8 at byte {error.start}; nothing was sent"
        ) from error
