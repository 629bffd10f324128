"""Errors as a person or a program reads them, and the exit code that goes with each."""

from __future__ import annotations

from typing import Any

from interlock.cli.output import Output, line
from interlock.errors import DecisionRefused, InterlockError, ReplayDiverged

FAILED = 1
USAGE = 2
DIVERGED = 2
REFUSED = 3


def exit_code(error: InterlockError) -> int:
    """Return the exit code of a command that ended with `error`."""
    if isinstance(error, DecisionRefused):
        return REFUSED
    return DIVERGED if isinstance(error, ReplayDiverged) else FAILED


def code_of(error: InterlockError) -> str:
    """Return the code to show: of a refused decision, why it was refused."""
    if isinstance(error, DecisionRefused):
        return str(error.details.get("code", error.code))
    return error.code


def show(error: InterlockError, *, as_json: bool) -> None:
    """Print an error of the tree: JSON on stdout, or `code: message` on stderr."""
    report(code_of(error), error.message, error.details, as_json=as_json)


def report(code: str, message: str, details: dict[str, Any], *, as_json: bool) -> None:
    """Print an error by its parts."""
    out = Output(as_json)
    if as_json:
        out.answer({"error": {"code": code, "message": message, "details": details}})
    else:
        out.notes.print(line((f"{code}: ", "bold red"), message))


def show_unexpected(error: BaseException, *, as_json: bool) -> None:
    """Print an error that is a fault of Interlock or of the deployment's own code."""
    message = (
        f"{type(error).__name__}: {error}. This is a fault in the program; the same command with "
        "--debug shows where."
    )
    report("INTERNAL", message, {}, as_json=as_json)
