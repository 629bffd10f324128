"""Text for terminals and JSON for programs."""

from __future__ import annotations

import json

import pytest

from interlock.canonical import compact
from interlock.cli.output import Output, line, table, to_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("\x1b[2J", "\\u001b[2J"),
    ],
)
def test_control_characters_are_spelled_out(text: str, shown: str) -> None:
    """A terminal obeys nothing that a model or a customer wrote."""
    assert line(text).plain == shown


def test_json_goes_to_stdout_and_remarks_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, stdout has exactly one JSON value."""
    out = Output(as_json=True)
    out.say("on the way")
    out.note("a remark")
    with out.working("working"):
        pass
    out.answer({"a": 1}, "for people")
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"a": 1}
    assert printed.err.split("\n")[:3] == ["on the way", "a remark", "working"]
    assert not out.is_interactive


def test_text_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json, the answer is text, and brackets in it are no markup."""
    Output(as_json=False).answer({"a": 1}, "[bold]x[/bold]")
    assert capsys.readouterr().out == "[bold]x[/bold]\n"


def test_json_on_one_line() -> None:
    """A ready line is one line."""
    assert to_json({"a": [1, "ü"]}, one_line=True) == '{"a": [1, "ü"]}'


def test_compact_cuts_and_joins() -> None:
    """Short forms are one line with a mark where they are cut; without a limit nothing is lost."""
    assert compact({"a": 1}) == '{"a": 1}'
    assert compact("one\n two", 20) == "one two"
    assert compact("x" * 30, 10) == "x" * 9 + "…"
    assert compact("one\ntwo") == "one\ntwo"


def test_cells_are_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """A long id in a table can be copied whole."""
    Output(as_json=False).say(table(("ID", "X"), [("y" * 120, "[z]")]))
    printed = capsys.readouterr().out
    assert "y" * 120 in printed
    assert "[z]" in printed
