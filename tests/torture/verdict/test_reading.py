"""A history that is damaged, cut or not in the format is never green."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.torture.verdict.chronicle import Chronicle
from tests_integration.torture.verdict.__main__ import main
from tests_integration.torture.verdict.judge import judge

A = "consumer-0.1"
FILE = f"history-{A}.jsonl"


@pytest.fixture
def folder(chronicle: Chronicle, tmp_path: Path) -> Path:
    """A clean run."""
    chronicle.done(A, 1, 11)
    assert chronicle.finish().judged(tmp_path, minimum=1).code == 0
    return tmp_path


def reasons(folder: Path) -> list[str]:
    """Judge the folder with a manifest that fits; it has to be untrusted. Return why."""
    Chronicle.seal(folder)
    verdict = judge(folder, minimum=1)
    assert verdict.code == 2
    return [case["why"] for case in verdict.report["cases"]["history_broken"]]


def change(path: Path, *edits: Callable[[list[str]], object]) -> None:
    lines = path.read_text().splitlines(keepends=True)
    for edit in edits:
        edit(lines)
    path.write_text("".join(lines))


def rewrite(line: int, **fields: Any) -> Callable[[list[str]], None]:
    def edit(lines: list[str]) -> None:
        said = json.loads(lines[line]) | fields
        lines[line] = json.dumps({name: value for name, value in said.items() if value != "gone"}) + "\n"

    return edit


@pytest.mark.parametrize(
    "name", ["manifest.json", "config.json", "schedule.json", "effects.jsonl", "final-dead.jsonl"]
)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert judge(folder, minimum=1).code == 2


def test_a_file_that_was_cut_at_the_end_of_a_line(folder: Path) -> None:
    change(folder / FILE, lambda lines: lines.pop())
    verdict = judge(folder, minimum=1)
    assert verdict.code == 2
    assert "the manifest says" in verdict.report["cases"]["history_broken"][0]["why"]


def test_a_file_that_the_manifest_does_not_know(folder: Path) -> None:
    (folder / "history-x.jsonl").write_text(
        '{"t": 1, "p": "x", "n": 1, "op": "process", "type": "invoke", "pid": 1, "role": "x"}\n'
    )
    assert judge(folder, minimum=1).code == 2


def test_a_whole_file_that_is_gone(folder: Path) -> None:
    (folder / FILE).unlink()
    assert judge(folder, minimum=1).code == 2
    Chronicle.seal(folder)
    assert judge(folder, minimum=1).violations == {"lost": 1, "too_little_drained": 1}


def test_a_last_line_that_a_kill_has_cut_is_fine(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.kill(A)
    chronicle.finish().write(tmp_path)
    with (tmp_path / FILE).open("a") as file:
        file.write('{"t": 1, "p": "consum')
    Chronicle.seal(tmp_path)
    assert judge(tmp_path, minimum=1).code == 0


def test_a_last_line_that_was_cut_without_a_kill_is_not(folder: Path) -> None:
    path = folder / FILE
    path.write_bytes(path.read_bytes()[:-5])
    Chronicle.seal(folder)
    assert judge(folder, minimum=1).violations == {"died_unexplained": 1}


def test_a_line_in_the_middle_that_is_no_json(folder: Path) -> None:
    change(folder / FILE, lambda lines: lines.insert(2, '{"t": 1, "p\n'))
    assert reasons(folder) == ["no whole JSON object"]


def test_a_line_that_is_missing_in_the_middle(folder: Path) -> None:
    change(folder / FILE, lambda lines: lines.__delitem__(slice(1, 3)))
    assert reasons(folder) == ["operation 3 follows 1"]


def test_the_same_line_twice(folder: Path) -> None:
    change(folder / FILE, lambda lines: lines.insert(2, lines[2]))
    assert "the end of an operation 2 that is not open" in reasons(folder)


def test_an_end_without_its_invoke(folder: Path) -> None:
    change(folder / FILE, lambda lines: lines.pop(1))
    assert "the end of an operation 2 that is not open" in reasons(folder)


@pytest.mark.parametrize(
    ("line", "fields", "why"),
    [
        (1, {"op": "teleport"}, "unknown operation teleport"), (2, {"type": "maybe"}, "unknown type maybe"),
        (1, {"p": "consumer-9.1"}, "a line of consumer-9.1"), (1, {"queue": "gone"}, "claim: queue is missing"),
        (1, {"vt_us": "1"}, "claim: vt_us is not what it should be: '1'"), (2, {"t": 1}, "claim: it ends before it begins"),
        (2, {"got": [[1, 2, 3]]}, "claim: got is not what it should be: [[1, 2, 3]]"),
        (2, {"got": "gone"}, "claim: got is missing"),
        (5, {"receipts": []}, "ack: lists of different lengths: {'ids': 1, 'receipts': 0}"),
        (5, {"n": True}, "n is not what it should be: True"),
        (6, {"outcomes": ["done", "done"]}, "ack: lists of different lengths: {'ids': 1, 'receipts': 1, 'outcomes': 2}"),
    ],
)  # fmt: skip
def test_a_line_that_is_not_in_the_format(folder: Path, line: int, fields: dict[str, Any], why: str) -> None:
    change(folder / FILE, rewrite(line, **fields))
    assert why in reasons(folder)


def test_a_file_without_its_first_line(folder: Path) -> None:
    change(folder / FILE, lambda lines: lines.pop(0), lambda lines: lines.pop())
    assert "no process line" in reasons(folder)


def test_a_witness_that_is_cut(folder: Path) -> None:
    (folder / "final-dead.jsonl").write_text('{"queue": "q", "msg_')
    assert "no whole JSON object" in reasons(folder)


def test_a_witness_that_is_not_in_the_format(folder: Path) -> None:
    (folder / "effects.jsonl").write_text('{"uid": "u1", "queue": "q", "msg_id": 1}\n')
    assert reasons(folder) == ["receipt is missing"]


def test_a_config_of_another_format(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format": 2}))
    assert reasons(folder) == ["format is not 1"]


def test_an_audit_that_is_promised_and_missing(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"audit": True}))
    assert "missing" in reasons(folder)


def test_an_empty_folder(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2


def test_no_folder(tmp_path: Path) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2


def test_the_command_says_what_it_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert main(["--minimum", "1", str(folder)]) == 0
    assert "every promise held" in capsys.readouterr().out
    assert main([str(folder)]) == 1
    assert "too_little_drained 1" in capsys.readouterr().out
    report = json.loads((folder / "report.json").read_text())
    assert report["violations"] == {"too_little_drained": 1}
    assert "too_little_drained: 1" in (folder / "report.md").read_text()
