"""How the program lists its commands, and how a command ends that fails."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from interlock.cli import failures
from interlock.cli.program import app
from interlock.errors import (
    BadInput,
    DecisionRefused,
    InterlockError,
    ReplayDiverged,
    TemporalUnreachable,
)


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, child in getattr(command, "commands", {}).items():
        if getattr(child, "commands", None):
            yield from _commands(child, (*words, name))
        else:
            yield (*words, name)


PROMISED = [
    "approvals",
    "approve",
    "cache forget",
    "cancel",
    "delegate",
    "doctor",
    "edit",
    "effects list",
    "effects resolve",
    "effects show",
    "feedback",
    "history",
    "inbox key create",
    "inbox key list",
    "inbox key revoke",
    "inbox link",
    "ingest",
    "init",
    "keys new",
    "list",
    "models list",
    "models pull",
    "models verify",
    "policy explain",
    "policy rejudge",
    "policy show",
    "policy test",
    "reject",
    "replay",
    "resolve",
    "respond",
    "run",
    "send",
    "show",
    "up",
    "worker",
]
COMMANDS = sorted(_commands(typer.main.get_command(app)))


def test_every_promised_command_is_there() -> None:
    """The program has the commands that the documentation names."""
    assert [" ".join(words) for words in COMMANDS] == PROMISED


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_tells_of_json_and_gives_an_example(interlock: Any, words: tuple[str, ...]) -> None:
    """Every command has --json, and its help ends with an example of itself."""
    shown = interlock(*words, "--help")
    assert shown.exit_code == 0
    assert "--json" in shown.stdout
    assert f"Example: interlock {' '.join(words)}" in " ".join(shown.stdout.split())


def test_help_loads_no_heavy_library() -> None:
    """The list of commands is shown without Temporal, LangChain, Chroma or a database."""
    program = (
        "import sys, interlock.cli.program as p\n"
        "heavy = {'temporalio', 'langchain_core', 'langgraph', 'chromadb', 'sqlalchemy', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_version(interlock: Any) -> None:
    """--version prints name and version."""
    assert interlock("--version").stdout.startswith("interlock 0.")


def test_an_error_of_the_tree_is_one_line_on_stderr(interlock: Any) -> None:
    """Without --json an error is its code and its message, with no traceback."""
    done = interlock("list")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("TEMPORAL_UNREACHABLE: no Temporal server answers")
    assert "`interlock up`" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_of_the_tree_is_one_json_object(interlock: Any) -> None:
    """With --json an error is an object with code, message and details on stdout."""
    done = interlock("list", "--json")
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "TEMPORAL_UNREACHABLE"
    assert error["details"] == {"address": "127.0.0.1:9"}


def test_debug_shows_where_an_error_came_from(interlock: Any) -> None:
    """--debug works behind a command and adds the traceback."""
    done = interlock("list", "--debug")
    assert done.exit_code == 1
    assert "Traceback (most recent call last)" in done.stderr


@pytest.mark.parametrize("words", [("nope",), ("list", "--status", "odd"), ("show",)])
def test_wrong_usage_exits_with_2(interlock: Any, words: tuple[str, ...]) -> None:
    """A word that the program does not know is a usage error, as text and as JSON."""
    plain, as_json = interlock(*words), interlock(*words, "--json")
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert "Error:" in plain.stderr
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout)["error"]["code"] == "USAGE"


def test_words_after_two_dashes_are_no_options(interlock: Any) -> None:
    """A message may hold what looks like an option of the program."""
    done = interlock("run", "clerk", "--", "--json")
    assert done.stdout == ""
    assert done.stderr.startswith("TEMPORAL_UNREACHABLE")


def test_a_fault_of_the_program_is_no_traceback(
    interlock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nobody foresaw is reported with its type and a way to see more."""

    def broken() -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("interlock.cli.checks.check_all", broken)
    done = interlock("doctor", "--json")
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "INTERNAL"
    assert "ZeroDivisionError: by nothing" in error["message"]


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (BadInput("x"), "BAD_INPUT", 1),
        (TemporalUnreachable("x"), "TEMPORAL_UNREACHABLE", 1),
        (ReplayDiverged("x"), "REPLAY_DIVERGED", 2),
        (DecisionRefused("x", code="EXPIRED"), "EXPIRED", 3),
        (DecisionRefused("x"), "DECISION_REFUSED", 3),
    ],
)
def test_exit_codes(error: InterlockError, code: str, exit_code: int) -> None:
    """Divergence exits with 2 and a refused decision with 3, under the reason of the refusal."""
    assert (failures.code_of(error), failures.exit_code(error)) == (code, exit_code)
