"""The command `run`: starts an agent and shows what it does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import As, Json
from interlock.cli.output import Output, program, to_json

if TYPE_CHECKING:
    from interlock.cli.follow import Outcome
    from interlock.runs.client import Runs

app = typer.Typer()


@app.command(rich_help_panel="Runs")
def run(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Name of the agent.")],
    message: Annotated[
        str, typer.Argument(metavar="[MESSAGE]", help="What a person says to it.")
    ] = "",
    graph_input: Annotated[
        str | None,
        typer.Option("--input", metavar="JSON", help="Input of the graph, in place of a message."),
    ] = None,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose run it is.")] = "default",
    subject: Annotated[
        str, typer.Option("--subject", help="Opaque id of the person it is about; no name.")
    ] = "",
    starter: As = "",
    workflow_id: Annotated[
        str, typer.Option("--id", help="Workflow id of the run; a new one by default.")
    ] = "",
    conversation: Annotated[
        bool, typer.Option("--conversation", help="Keep the run open for more messages.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Run an agent and show what it does, as it happens.

    When it needs a person, it says how to decide, and on a terminal asks right here. Whoever starts
    it, as --as says, may not decide on it where decisions are signed. Ctrl-C stops the showing; the
    run goes on.

    Example: interlock run support "My order A-1042 arrived broken, I want my money back."
    """
    from interlock.cli.hand import person_named
    from interlock.cli.requests import json_value
    from interlock.errors import BadInput
    from interlock.settings import load_settings

    if bool(message) == (graph_input is not None):
        raise BadInput("give the agent either a message or --input JSON.")
    person = person_named(load_settings(), starter)
    request = {
        "agent": agent,
        "input": message or json_value(graph_input, "--input"),
        "tenant": tenant,
        "subject": subject,
        "requester": person.subject if person else "",
        "conversation": conversation,
    }
    asyncio.run(_run(Output(as_json), request, workflow_id, follow))


async def _run(out: Output, request: dict[str, Any], workflow_id: str, follow: bool) -> None:
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    started = await runs.start(request, workflow_id)
    if not await runs.has_worker():
        out.note("No worker polls yet: the run waits until `interlock worker` is started.")
    if not follow:
        link = runs.link(started)
        out.answer(
            {"workflow_id": started, "status": "running", "ui": link or None},
            f"started {started}",
            *_next_looks(started, link),
        )
        return
    await _follow(out, runs, started)


async def _follow(out: Output, runs: Runs, workflow_id: str) -> None:
    from interlock.cli.follow import Follower

    out.say(f"run {workflow_id}", *([runs.link(workflow_id)] if runs.link(workflow_id) else []))
    try:
        outcome = await Follower(runs, out, workflow_id).follow()
    except asyncio.CancelledError:
        out.note(f"The run goes on. See it with `interlock show {workflow_id}`.")
        raise typer.Exit(130) from None
    _end(out, runs, outcome)


def _end(out: Output, runs: Runs, outcome: Outcome) -> None:
    if outcome.error is not None:
        raise outcome.error
    waiting = [f"Say more with `interlock send {outcome.workflow_id} MESSAGE`."]
    out.answer(
        outcome.report(),
        *_ending(outcome),
        "",
        outcome.used,
        *(waiting if outcome.status == "idle" else []),
        *_next_looks(outcome.workflow_id, runs.link(outcome.workflow_id)),
    )


def _ending(outcome: Outcome) -> list[str]:
    """Return the reply, or the state that a graph without messages ended with."""
    if outcome.reply:
        return ["", outcome.reply]
    output = outcome.result.get("output") if isinstance(outcome.result, dict) else None
    return ["", to_json(output)] if output else []


def _next_looks(workflow_id: str, link: str) -> list[str]:
    return [
        f"Its steps:      {program()} show {workflow_id}",
        f"Replay it:      {program()} replay {workflow_id}",
        *([f"In Temporal:    {link}"] if link else []),
    ]
