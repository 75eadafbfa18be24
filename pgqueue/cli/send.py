"""`pgqueue send`: send messages from the command line or standard input."""

from __future__ import annotations

import sys
from typing import Any

import click

from pgqueue.cli.database import dsn_option, json_option, open_client
from pgqueue.cli.output import print_json
from pgqueue.errors import PayloadError
from pgqueue.json_codec import decode

MAX_INPUT = 64 * 1024 * 1024


@click.command("send")
@click.argument("queue")
@click.argument("message", required=False)
@click.option(
    "--lines", is_flag=True, help="Standard input holds one JSON value a line; all are sent or none."
)
@click.option("--headers", metavar="JSON", help="A JSON object kept beside the message.")
@click.option("--delay", default=0.0, metavar="SECONDS", help="Not visible before.")
@click.option("--key", help="Idempotency key: within its window the same key is sent once.")
@click.option("--group-key", help="Messages of one group are handled one at a time, in order.")
@click.option("--priority", default=0, type=click.IntRange(0, 9), help="Higher is read first.")
@dsn_option
@json_option
def command(queue: str, message: str | None, *, lines: bool, headers: str | None, **given: Any) -> None:
    """Send MESSAGE, a JSON value, or what standard input holds.

    \b
    Examples:
      pgqueue send orders '{"id": 7}'
      pgqueue send orders --lines < orders.jsonl
      echo '{"id": 7}' | pgqueue send orders --key order-7
    """
    if lines and (message is not None or given["key"] is not None):
        raise click.UsageError("--lines reads standard input: it takes no MESSAGE and no --key")
    values = (
        _read_lines() if lines else [_parse(message if message is not None else _read_input(), "MESSAGE")]
    )
    head: Any = None if headers is None else _parse(headers, "--headers")
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


def _read_input() -> str:
    if sys.stdin.isatty():
        raise click.UsageError("give MESSAGE, or pipe a JSON value into standard input")
    data = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(data) > MAX_INPUT:
        raise click.UsageError(f"standard input holds more than {MAX_INPUT} bytes; send it in parts")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"standard input is not UTF-8 at byte {error.start}") from error


def _read_lines() -> list[Any]:
    text = _read_input()
    return [_parse(line, f"line {n}") for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def _parse(text: str, where: str) -> Any:
    if not text.strip():
        raise click.UsageError(f"{where} is empty; pass a JSON value")
    try:
        return decode(text)
    except PayloadError as error:
        raise click.UsageError(
            f"{where} is no JSON value: {error.message}. A string needs its quotes: '\"text\"'."
        ) from error
