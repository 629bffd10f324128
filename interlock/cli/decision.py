"""Commands of reviewers: `approve`, `edit`, `reject`, `respond`, `resolve`."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import (
    As,
    Comment,
    Json,
    OutcomeResult,
    OutcomeWord,
    Reviewer,
    Yes,
)
from interlock.cli.output import Output, line, program

if TYPE_CHECKING:
    from interlock.approvals.contract import DecisionAnswer
    from interlock.runs.client import Runs

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
def approve(
    request_id: RequestId,
    run: Run = "",
    comment: Comment = "",
    reviewer: Reviewer = "",
    subject: As = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let a run do exactly what it asks for.

    Example: interlock approve call_4f1c --yes
    """
    said = {"comment": comment, "reviewer": reviewer}
    _decide(Output(as_json), request_id, run, "approve", yes, subject=subject, **said)


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
    subject: As = "",
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
        subject=subject,
    )


@app.command(rich_help_panel=_PANEL)
def reject(
    request_id: RequestId,
    run: Run = "",
    comment: Comment = "",
    reviewer: Reviewer = "",
    subject: As = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Do not let a run act, and tell the agent why.

    Example: interlock reject call_4f1c --comment "the parcel was lost, offer a replacement"
    """
    said = {"comment": comment, "reviewer": reviewer}
    _decide(Output(as_json), request_id, run, "reject", yes, subject=subject, **said)


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
    subject: As = "",
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
        subject=subject,
    )


@app.command(rich_help_panel=_PANEL)
def resolve(
    request_id: RequestId,
    verb: OutcomeWord,
    result: OutcomeResult = None,
    run: Run = "",
    comment: Comment = "",
    reviewer: Reviewer = "",
    subject: As = "",
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
        subject=subject,
    )


def _decide(
    out: Output, request_id: str, run: str, verb: str, yes: bool, *, subject: str, **fields: Any
) -> None:
    if not fields.get("reviewer"):
        fields.pop("reviewer", None)
    asyncio.run(submit(out, request_id, run, verb, yes, fields, subject))


async def submit(
    out: Output,
    request_id: str,
    run: str,
    verb: str,
    yes: bool,
    fields: dict[str, Any],
    subject: str = "",
) -> None:
    """Show a request, ask for confirmation at a terminal, and send the decision on it.

    Raises:
        InterlockError: the decision does not count, or did not arrive.
    """
    from interlock.cli import requests
    from interlock.cli.hand import hand_of
    from interlock.errors import DecisionRefused
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    hand = hand_of(runs.settings, subject)
    try:
        item = await requests.find(runs, request_id, run)
    except DecisionRefused:
        if not run or ":" not in request_id:
            raise
        answer = await _let_run_answer(runs, run, request_id, verb, fields)
        _accepted(out, run, answer, verb, verified=False)
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
    answer = await hand.decide(runs, item, verb, **fields)
    _accepted(out, item.workflow_id, answer, verb, verified=hand.signs)


def _accepted(
    out: Output, workflow_id: str, answer: DecisionAnswer, verb: str, *, verified: bool
) -> None:
    said = {"accepted": True, "workflow_id": workflow_id, "request_id": answer.request_id}
    how = "" if verified else ", unverified"
    goes_on = "The run goes on; see it with"
    if verb == "edit":
        goes_on = "The run goes on, or asks others about the change; see it with"
    if answer.missing:
        said["missing"] = answer.missing
        others = "one other person has" if answer.missing == 1 else f"{answer.missing} others have"
        goes_on = f"Now {others} to approve; see who has with"
    out.answer(
        {**said, "verb": verb, "verified": verified},
        line(("accepted", "bold green"), f": {verb}{how}. {goes_on}"),
        f"  {program()} show {shlex.quote(workflow_id)}",
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
