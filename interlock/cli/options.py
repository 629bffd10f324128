"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON value on standard output, and nothing else there."),
]
RunId = Annotated[str, typer.Argument(metavar="ID", help="Workflow id of the run.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Longest list to print.")]
Cursor = Annotated[
    str, typer.Option("--cursor", help="Go on after an earlier page: its 'next' cursor.")
]
