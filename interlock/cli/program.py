"""The program `interlock`: its commands, and what happens when one fails."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import interlock
from interlock.cli import (
    approvals,
    cache,
    decision,
    delegate,
    doctor,
    effects,
    failures,
    inbox,
    keys,
    knowledge,
    message,
    models,
    policy,
    project,
    replay,
    run,
    show,
    up,
)
from interlock.errors import InterlockError


class Program(TyperGroup):
    """Runs a command; an error becomes one line, or one JSON object, and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command that `args` name and exit, or return its code outside standalone mode."""
        words = list(sys.argv[1:] if args is None else args)
        options = words[: words.index("--")] if "--" in words else words
        as_json, debug = "--json" in options, "--debug" in options
        words = [word for word in options if word != "--debug"] + words[len(options) :]
        try:
            code = super().main(words, prog_name, complete_var, False, windows_expand_args, **extra)
        except Exception as error:  # noqa: BLE001  the one place where every error ends
            if debug:
                traceback.print_exception(error)
            code = _end(error, as_json=as_json)
        if not standalone_mode:
            return code
        sys.exit(code or 0)


def _end(error: Exception, *, as_json: bool) -> int:
    """Print an error and return the exit code."""
    if isinstance(error, InterlockError):
        failures.show(error, as_json=as_json)
        return failures.exit_code(error)
    if isinstance(error, typer.Abort):
        failures.report("ABORTED", "nothing was changed.", {}, as_json=as_json)
        return failures.FAILED
    if isinstance(error, typer.TyperException):
        return _end_usage(error, as_json=as_json)
    failures.show_unexpected(error, as_json=as_json)
    return failures.FAILED


def _end_usage(error: typer.TyperException, *, as_json: bool) -> int:
    if as_json:
        text = error.format_message()
        failures.report("USAGE", text, {}, as_json=True)
    else:
        error.show()  # type: ignore[attr-defined]  # all that parsing raises have it
    return failures.USAGE


app = typer.Typer(
    name="interlock",
    cls=Program,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"interlock {interlock.__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show where an error came from. Works after any command."),
    ] = False,
) -> None:
    """Durable agents that stop for a person: LangGraph in Temporal.

    Start with `interlock doctor`, then `interlock up`.
    """


for _group in (
    run,
    show,
    approvals,
    decision,
    delegate,
    inbox,
    effects,
    message,
    replay,
    up,
    knowledge,
    models,
    policy,
    doctor,
    cache,
    keys,
    project,
):
    app.add_typer(_group.app)
