"""The command `delegate`: who decides in whose place, and until when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.options import As, Json
from interlock.cli.output import Output, table

if TYPE_CHECKING:
    from datetime import datetime

app = typer.Typer()


@app.command(rich_help_panel="Reviewers")
def delegate(
    taker: Annotated[
        str,
        typer.Argument(metavar="[SUBJECT]", help="Who decides in your place; lists without it."),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="TIME", help="For example 2026-12-24 or 2026-12-24T18:00Z."
        ),
    ] = "",
    end: Annotated[
        str,
        typer.Option("--end", metavar="ID", help="End one that you gave, as the list names it."),
    ] = "",
    subject: As = "",
    as_json: Json = False,
) -> None:
    """Let somebody decide in your place for a while, or list who does.

    Example: interlock delegate bea --until 2026-12-24 --as ada
    """
    from interlock.errors import BadInput

    if bool(taker) != bool(until) or (taker and end):
        raise BadInput("name whom to let decide and --until when, or one to --end, or nothing.")
    asyncio.run(_delegate(Output(as_json), taker, until, end, subject))


async def _delegate(out: Output, taker: str, until: str, end: str, subject: str) -> None:
    from interlock.app import database_url
    from interlock.audit.database import Database
    from interlock.cli.hand import person_named
    from interlock.errors import BadInput
    from interlock.runs.delegations import delegations_of
    from interlock.settings import load_settings

    settings = load_settings()
    person = person_named(settings, subject)
    if person is None and (taker or end):
        raise BadInput("say who you are: --as SUBJECT, or the setting 'approvals.decide_as'.")
    async with Database(database_url(settings)) as database:
        delegations = delegations_of(settings, database)
        if person is not None and taker:
            await delegations.give(person, taker, _moment(until))
        if person is not None and end:
            await delegations.end(person, end)
        found = await delegations.all()
    rows = [(d.id, d.giver.subject, d.taker, f"{d.until:%Y-%m-%d %H:%M}") for d in found]
    columns = ("ID", "FOR", "DECIDES", "UNTIL (UTC)")
    listed = [
        {"id": d.id, "giver": d.giver.subject, "taker": d.taker, "until": d.until} for d in found
    ]
    out.answer(listed, table(columns, rows) if rows else "Nobody decides in another's place.")


def _moment(text: str) -> datetime:
    """Return a time that was typed; without a zone it is this machine's."""
    from datetime import datetime

    from interlock.errors import BadInput

    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise BadInput(
            f"--until {text!r} is no time. Write 2026-12-24 or 2026-12-24T18:00Z."
        ) from error
