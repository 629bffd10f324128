"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

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
Page = Annotated[int, typer.Option("--page", min=1, help="Page of the list.")]
Comment = Annotated[str, typer.Option("--comment", "-c", help="Why, for the agent and the record.")]
Reviewer = Annotated[
    str, typer.Option("--reviewer", help="Name on the decision; default: who is logged in.")
]
As = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="SUBJECT",
        help="Who you are: one of [[people]] in interlock.toml. Default: approvals.decide_as.",
    ),
]
OutcomeWord = Annotated[
    Literal["happened", "did_not_happen", "abort"],
    typer.Argument(
        metavar="VERB", help="happened, did_not_happen (call it now) or abort (never call it)."
    ),
]
OutcomeResult = Annotated[
    str | None,
    typer.Option("--result", metavar="JSON", help="With happened: what the tool answered."),
]
