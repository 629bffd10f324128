"""The command `doctor`: what is configured, what is reachable, what is missing, and what to do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from interlock.cli.failures import FAILED
from interlock.cli.options import Json
from interlock.cli.output import Output, line

if TYPE_CHECKING:
    from rich.text import Text

    from interlock.cli.findings import Finding

app = typer.Typer()


@app.command(rich_help_panel="Deployment")
def doctor(as_json: Json = False) -> None:
    """Check this deployment and say what to do about what is wrong.

    Each line is ok, warn or fail. The exit code is 1 when something fails.

    Example: interlock doctor
    """
    out = Output(as_json)
    with out.working("checking"):
        from interlock.cli.checks import check_all

        found = asyncio.run(check_all())
    failed = sum(item.state == "fail" for item in found)
    out.answer(
        {"ok": failed == 0, "checks": found},
        *(_line(item) for item in found),
        f"{failed} to mend." if failed else "Ready.",
    )
    if failed:
        raise typer.Exit(FAILED)


def _line(item: Finding) -> Text:
    style = {"ok": "green", "warn": "yellow", "fail": "bold red"}[item.state]
    remedy = f" {item.remedy}" if item.remedy else ""
    return line((f"{item.state:<5}", style), (f"{item.name:<18}", "bold"), item.message, remedy)
