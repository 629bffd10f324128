"""The command `approvals`: what waits for a decision."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from interlock.cli.options import As, Json, Limit, Page
from interlock.cli.output import Output, program

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import RenderableType

    from interlock.runs.asked import RequestFilter
    from interlock.runs.contract import OpenRequest

app = typer.Typer()


@app.command(rich_help_panel="Reviewers")
def approvals(
    run: Annotated[
        str, typer.Argument(metavar="[ID]", help="Workflow id of one run; all by default.")
    ] = "",
    mine: Annotated[
        bool,
        typer.Option(
            "--mine",
            help="Only what you may decide now, also in others' places, and have not approved.",
        ),
    ] = False,
    tenant: Annotated[str, typer.Option("--tenant", help="Only of this tenant.")] = "",
    risk: Annotated[
        Literal["low", "medium", "high"] | None, typer.Option("--risk", help="Only of this risk.")
    ] = None,
    tool: Annotated[str, typer.Option("--tool", help="Only calls of this tool.")] = "",
    at_least: Annotated[
        str, typer.Option("--at-least", metavar="AMOUNT", help="Only of this amount or more.")
    ] = "",
    subject: As = "",
    limit: Limit = 20,
    page: Page = 1,
    as_json: Json = False,
) -> None:
    """List the requests that wait for a decision, oldest first.

    Example: interlock approvals --mine --risk high
    """
    from interlock.runs.asked import RequestFilter
    from interlock.tools.contract import Risk

    risks, amount = Risk(risk) if risk else None, _amount(at_least)
    where = RequestFilter(tenant=tenant, risk=risks, tool=tool, at_least=amount, mine=mine)
    asyncio.run(_list(Output(as_json), run, where, subject, limit, page))


async def _list(
    out: Output, run: str, where: RequestFilter, subject: str, limit: int, page: int
) -> None:
    from interlock.cli.hand import person_named, places_of
    from interlock.cli.requests import request_lines, reviewer_name
    from interlock.runs.client import Runs
    from interlock.runs.contract import OpenRequest

    runs = await Runs.connect()
    person = person_named(runs.settings, subject)
    if where.mine and person is None:
        person = person_named(runs.settings, reviewer_name())
    places = await places_of(runs.settings, person) if where.mine and person else ()
    if run:
        items = [OpenRequest(workflow_id=run, request=item) for item in await runs.pending(run)]
    else:
        items = await runs.open_requests()
    found = [item for item in items if where.fits(item.request, person, *places)]
    shown = found[(page - 1) * limit : page * limit]
    if not shown:
        out.answer([], _nothing(len(items), len(found)))
        return
    lines: list[RenderableType] = []
    for item in shown:
        lines += [*request_lines(item), ""]
    left = len(found) - page * limit
    more = [f"{left} more: --page {page + 1}"] if left > 0 else []
    out.answer(
        [{"workflow_id": item.workflow_id, **_plain(item)} for item in shown],
        *lines,
        *more,
        f"Decide with `{program()} approve REQUEST_ID`, or edit, reject, respond, resolve.",
    )


def _amount(text: str) -> Decimal | None:
    from decimal import Decimal, InvalidOperation

    from interlock.errors import BadInput

    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise BadInput(f"--at-least {text!r} is no amount. Write a number, for example 49.90.")
    return found


def _nothing(waiting: int, found: int) -> str:
    if found:
        return f"No more: {found} wait in all."
    return f"Nothing of this kind: {waiting} wait in all." if waiting else "Nothing waits."


def _plain(item: OpenRequest) -> dict[str, Any]:
    return item.request.model_dump(mode="json")
