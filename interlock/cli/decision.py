"""Commands of reviewers: `approvals`, `approve`, `edit`, `reject`, `respond`, `resolve`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from interlock.cli.options import (
    Comment,
    Json,
    Limit,
    OutcomeResult,
    OutcomeWord,
    Page,
    Reviewer,
    Yes,
)
from interlock.cli.output import Output, line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from interlock.approvals.contract import DecisionAnswer
    from interlock.runs.asked import RequestFilter
    from interlock.runs.client import Runs
    from interlock.runs.contract import OpenRequest

_PANEL = "Reviewers"

app = typer.Typer()

RequestId = Annotated[
    str,
    typer.Argument(metavar="REQUEST_ID", help="Id of the request, or the beginning of one."),
]
Run = Annotated[
    str, typer.Option("--run", help="Workflow id of its run; all runs are searched without it.")
]


@app.command(rich_help_panel=_PANEL)
def approvals(
    run: Annotated[
        str, typer.Argument(metavar="[ID]", help="Workflow id of one run; all by default.")
    ] = "",
    mine: Annotated[
        bool, typer.Option("--mine", help="Only what waits for you, as 'people' names you.")
    ] = False,
    tenant: Annotated[str, typer.Option("--tenant", help="Only requests of this tenant.")] = "",
    risk: Annotated[
        Literal["low", "medium", "high"] | None,
        typer.Option("--risk", help="Only requests of this risk."),
    ] = None,
    limit: Limit = 20,
    page: Page = 1,
    reviewer: Annotated[
        str,
        typer.Option("--reviewer", help="Whose requests --mine lists; default: who is logged in."),
    ] = "",
    as_json: Json = False,
) -> None:
    """List the requests that wait for a decision, oldest first.

    Example: interlock approvals --risk high
    """
    from interlock.runs.asked import RequestFilter
    from interlock.tools.contract import Risk

    where = RequestFilter(tenant=tenant, risk=Risk(risk) if risk else None, mine=mine)
    asyncio.run(_list(Output(as_json), run, where, reviewer, limit, page))


@app.command(rich_help_panel=_PANEL)
def approve(
    request_id: RequestId,
    run: Run = "",
    comment: Comment = "",
    reviewer: Reviewer = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let a run do exactly what it asks for.

    Example: interlock approve call_4f1c --yes
    """
    _decide(Output(as_json), request_id, run, "approve", yes, comment=comment, reviewer=reviewer)


@app.command(rich_help_panel=_PANEL)
def edit(
    request_id: RequestId,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one argument; repeatable."),
    ] = None,
    arguments: Annotated[
        str | None, typer.Option("--arguments", metavar="JSON", help="All new arguments.")
    ] = None,
    run: Run = "",
    comment: Comment = "",
    reviewer: Reviewer = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let a run act with other arguments; they are validated and judged again.

    Example: interlock edit call_4f1c --set amount=10.00
    """
    _decide(
        Output(as_json),
        request_id,
        run,
        "edit",
        yes,
        edit=(tuple(changes or ()), arguments),
        comment=comment,
        reviewer=reviewer,
    )


@app.command(rich_help_panel=_PANEL)
def reject(
    request_id: RequestId,
    run: Run = "",
    comment: Comment = "",
    reviewer: Reviewer = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Do not let a run act, and tell the agent why.

    Example: interlock reject call_4f1c --comment "the parcel was lost, offer a replacement"
    """
    _decide(Output(as_json), request_id, run, "reject", yes, comment=comment, reviewer=reviewer)


@app.command(rich_help_panel=_PANEL)
def respond(
    request_id: RequestId,
    answer: Annotated[str, typer.Argument(metavar="[ANSWER]", help="The answer as text.")] = "",
    result: Annotated[
        str | None, typer.Option("--result", metavar="JSON", help="The answer as JSON.")
    ] = None,
    run: Run = "",
    comment: Comment = "",
    reviewer: Reviewer = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Answer a question of a run, or answer in the place of a tool.

    Example: interlock respond call_4f1c "Yes, the warehouse has two left."
    """
    from interlock.cli.requests import json_value
    from interlock.errors import BadInput

    if bool(answer) == (result is not None):
        raise BadInput("give the answer either as text or with --result JSON.")
    value = answer or json_value(result, "--result")
    _decide(
        Output(as_json),
        request_id,
        run,
        "respond",
        yes,
        result=value,
        comment=comment,
        reviewer=reviewer,
    )


@app.command(rich_help_panel=_PANEL)
def resolve(
    request_id: RequestId,
    verb: OutcomeWord,
    result: OutcomeResult = None,
    run: Run = "",
    comment: Comment = "",
    reviewer: Reviewer = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Say what became of an effect whose outcome nobody knows.

    Example: interlock resolve call_4f1c happened --result '{"refund_id": "r-77"}'
    """
    from interlock.cli.requests import json_value

    _decide(
        Output(as_json),
        request_id,
        run,
        verb,
        yes,
        result=json_value(result, "--result"),
        comment=comment,
        reviewer=reviewer,
    )


async def _list(
    out: Output, run: str, where: RequestFilter, reviewer: str, limit: int, page: int
) -> None:
    from interlock.cli.requests import known_person, request_lines
    from interlock.runs.client import Runs
    from interlock.runs.contract import OpenRequest

    runs = await Runs.connect()
    if run:
        found = [OpenRequest(workflow_id=run, request=item) for item in await runs.pending(run)]
    else:
        found = await runs.open_requests()
    person = known_person(runs.settings, reviewer) if where.mine else None
    found = [item for item in found if where.fits(item.request, person)]
    shown = found[(page - 1) * limit : page * limit]
    if not shown:
        out.answer([], "Nothing waits for a decision.")
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
        "Decide with `interlock approve REQUEST_ID`, or edit, reject, respond, resolve.",
    )


def _plain(item: OpenRequest) -> dict[str, Any]:
    return item.request.model_dump(mode="json")


def _decide(out: Output, request_id: str, run: str, verb: str, yes: bool, **fields: Any) -> None:
    if not fields.get("reviewer"):
        fields.pop("reviewer", None)
    asyncio.run(submit(out, request_id, run, verb, yes, fields))


async def submit(
    out: Output, request_id: str, run: str, verb: str, yes: bool, fields: dict[str, Any]
) -> None:
    """Show a request, ask for confirmation at a terminal, and send the decision on it.

    Raises:
        InterlockError: the decision does not count, or did not arrive.
    """
    from interlock.cli import requests
    from interlock.errors import DecisionRefused
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    try:
        item = await requests.find(runs, request_id, run)
    except DecisionRefused:
        if not run or ":" not in request_id:
            raise
        answer = await _let_run_answer(runs, run, request_id, verb, fields)
        _accepted(out, run, answer, verb)
        return
    request = item.request
    edited = fields.pop("edit", None)
    if edited is not None:
        fields["arguments"] = requests.arguments_of(request, *edited)
    if not out.as_json:
        out.say(*requests.request_lines(item))
    if edited is not None:
        out.say(*requests.changes(request.arguments, fields["arguments"]))
    if out.is_interactive and not yes and not out.confirm(f"{verb} this?"):
        raise typer.Abort
    answer = await requests.put(runs, item.workflow_id, request.id, request.digest, verb, **fields)
    _accepted(out, item.workflow_id, answer, verb)


def _accepted(out: Output, workflow_id: str, answer: DecisionAnswer, verb: str) -> None:
    said = {"accepted": True, "workflow_id": workflow_id, "request_id": answer.request_id}
    goes_on = "The run goes on; see it with"
    if answer.missing:
        said["missing"] = answer.missing
        goes_on = f"{answer.missing} more of other people are needed; see them with"
    out.answer(
        {**said, "verb": verb},
        line(("accepted", "bold green"), f": {verb}. {goes_on}"),
        f"  interlock show {workflow_id}",
    )


async def _let_run_answer(
    runs: Runs, run: str, request_id: str, verb: str, fields: dict[str, Any]
) -> DecisionAnswer:
    """Send a decision on a request that is not open, so that its run records and refuses it."""
    from interlock.cli import requests

    changed = fields.pop("edit", None)
    if changed is not None:
        fields["arguments"] = requests.json_value(changed[1], "--arguments") or {}
    digest = request_id.rpartition(":")[2]
    return await requests.put(runs, run, request_id, digest, verb, **fields)
