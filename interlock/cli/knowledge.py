"""The command `ingest`: brings knowledge and seeds into long-term memory."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import Json
from interlock.cli.output import Output

if TYPE_CHECKING:
    from interlock.app import App
    from interlock.cli.runs import Runs
    from interlock.memory.contract import KnowledgeReport
    from interlock.settings import Settings

_WORKFLOW = "KnowledgeRefresh"
_SCHEDULE = "knowledge-refresh"
_EVERY = re.compile(r"(\d+)(min|h|d)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days"}

app = typer.Typer()


@app.command(rich_help_panel="Deployment")
def ingest(
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule", metavar="EVERY", help="Repeat: 30min, 6h or 1d; 'off' ends that."
        ),
    ] = "",
    tenant: Annotated[str, typer.Option("--tenant", help="Whose knowledge it is.")] = "default",
    as_json: Json = False,
) -> None:
    """Bring the folders of 'knowledge' and the items of 'seeds' into memory.

    Only what changed is written. A running worker does it in a durable workflow; without one it is
    done here.

    Example: interlock ingest --schedule 6h
    """
    out = Output(as_json)
    if schedule:
        asyncio.run(_schedule(out, schedule, tenant))
    else:
        asyncio.run(_ingest(out, tenant))
