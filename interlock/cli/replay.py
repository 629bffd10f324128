"""Commands for recorded runs: `replay` and `history`."""

from __future__ import annotations

from typing import Annotated

import typer

_PANEL = "Engineers"

app = typer.Typer()

PartId = Annotated[
    str,
    typer.Option(
        "--run-id", help="One run of a chain that continued as new; the newest by default."
    ),
]
