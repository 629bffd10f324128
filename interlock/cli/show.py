"""Commands that look: `list` and `show`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from interlock.cli.options import Cursor, Json, Limit, RunId
from interlock.cli.output import Output, line, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from interlock.cli.waiting import WaitingCall
    from interlock.replay.steps import Step
    from interlock.runs.client import Runs
    from interlock.runs.contract import RunSummary
    from interlock.runs.filters import RunFilter

_PANEL = "Runs"

app = typer.Typer()


@app.command("list", rich_help_panel=_PANEL)
def list_runs(
    status: Annotated[
        Literal["running", "waiting", "idle", "completed", "failed", "cancelled"] | None,
        typer.Option("--status", help="Only runs in this state."),
    ] = None,
    agent: Annotated[str, typer.Option("--agent", help="Only runs of this agent.")] = "",
    tenant: Annotated[str, typer.Option("--tenant", help="Only runs of this tenant.")] = "",
    limit: Limit = 20,
    cursor: Cursor = "",
    as_json: Json = False,
) -> None:
    """List runs, newest first.

    Example: interlock list --status waiting
    """
    from interlock.runs.filters import RunFilter

    where = RunFilter(status=status, agent=agent, tenant=tenant)
    asyncio.run(_list(Output(as_json), where, limit, cursor))


@app.command(rich_help_panel=_PANEL)
def show(
    workflow_id: RunId,
    graph: Annotated[
        bool, typer.Option("--graph", help="Print the graph as Mermaid text, current node lit.")
    ] = False,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Print the whole prompt of every model call.")
    ] = False,
    limit: Limit = 200,
    cursor: Annotated[
        int, typer.Option("--cursor", min=0, help="Go on after an earlier page: its 'next'.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Show what a run did, step by step: inputs, outputs, times and cost.

    It reads the history only, so it needs no worker; --graph asks one.

    Example: interlock show support-3f9a12bc --prompts
    """
    out = Output(as_json)
    if graph:
        asyncio.run(_graph(out, workflow_id))
    else:
        asyncio.run(_steps(out, workflow_id, prompts, limit, cursor))


async def _list(out: Output, where: RunFilter, limit: int, cursor: str) -> None:
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    page = await runs.page(where, limit, cursor)
    rows = [
        (
            run.workflow_id,
            run.agent or run.workflow_type,
            line((run.status, _STYLES.get(run.status, ""))),
            run.tenant,
            run.started_at.strftime("%Y-%m-%d %H:%M:%S"),
            _took(run),
        )
        for run in page.runs
    ]
    columns = ("ID", "AGENT", "STATUS", "TENANT", "STARTED (UTC)", "TOOK")
    more = [f"More: --cursor {page.next}"] if page.next else []
    shown = [table(columns, rows)] if rows else ["No runs."]
    out.answer(page, *shown, *more)


async def _graph(out: Output, workflow_id: str) -> None:
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    drawn = str(await runs.query(workflow_id, "graph"))
    out.answer({"workflow_id": workflow_id, "graph": drawn}, drawn)


async def _steps(out: Output, workflow_id: str, prompts: bool, limit: int, cursor: int) -> None:
    from interlock.cli.steps import step_lines
    from interlock.cli.waiting import waiting_calls
    from interlock.replay.steps import ModelCalled, totals
    from interlock.replay.telling import totals_line
    from interlock.runs.client import Runs
    from interlock.runs.histories import read_run

    runs = await Runs.connect()
    summary = await runs.summary(workflow_id)
    with out.working("reading the history"):
        steps, events = await read_run(runs, workflow_id)
        kept_back = [] if summary.ended_at else await waiting_calls(runs, workflow_id, events)
        asked = await _prompts(runs, steps[cursor : cursor + limit]) if prompts else {}
    shown = steps[cursor : cursor + limit]
    after = cursor + limit if cursor + limit < len(steps) else None
    lines: list[RenderableType] = [_title(summary)]
    for step in shown:
        lines += step_lines(step, steps[0].at, details=True)
        if isinstance(step, ModelCalled) and step.ref in asked:
            lines += _prompt_lines(asked[step.ref])
    lines += [_waiting_line(call) for call in kept_back]
    found = totals(steps)
    lines.append(f"{totals_line(found)}, {found.seconds:.1f}s")
    if after is not None:
        lines.append(f"{len(steps) - after} more steps: --cursor {after}")
    report: dict[str, Any] = {"run": summary, "totals": found, "next": after}
    report["waiting"] = kept_back
    report["steps"] = [_plain(step, asked) for step in shown]
    out.answer(report, *lines)


async def _prompts(runs: Runs, steps: list[Step]) -> dict[str, list[dict[str, Any]]]:
    """Return the messages of model calls by the reference of their transcript."""
    from interlock.connection import payload_store
    from interlock.models.transcripts import TranscriptStore
    from interlock.replay.steps import ModelCalled

    store = TranscriptStore(payload_store(runs.settings))
    refs = [step.ref for step in steps if isinstance(step, ModelCalled) and step.ref]
    return {ref: await store.load(ref) for ref in refs}


def _plain(step: Step, asked: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    data = step.model_dump(mode="json")
    ref = data.get("ref")
    return {**data, "transcript": asked[ref]} if ref in asked else data


def _prompt_lines(messages: list[dict[str, Any]]) -> list[RenderableType]:
    from interlock.canonical import compact
    from interlock.replay.answers import said

    read = [said(message) for message in messages]
    return [
        line(
            (f"{'':20}{message.role:>14}  ", "dim"),
            "\n".join([message.text, *(compact(call) for call in message.tool_calls)]).strip(),
        )
        for message in read
    ]


def _waiting_line(call: WaitingCall) -> RenderableType:
    parts = [f"since {call.since:%H:%M:%S} UTC, limit {call.limit}"]
    if call.estimated_start is not None:
        parts.append(f"may start about {call.estimated_start:%H:%M:%S}")
    if call.backlog is not None:
        parts.append(f"about {call.backlog} in its queue")
    return line((f"{call.tool} waits", "bold yellow"), f" {', '.join(parts)}")


def _title(run: RunSummary) -> RenderableType:
    status = (run.status, _STYLES.get(run.status, ""))
    release = f", release {run.release}" if run.release else ""
    about = f" of {run.agent or run.workflow_type}{release}, {run.events} events"
    return line((run.workflow_id, "bold"), about, ": ", status)


def _took(run: RunSummary) -> str:
    if run.ended_at is None:
        return ""
    return f"{(run.ended_at - run.started_at).total_seconds():.1f}s"


_STYLES = {
    "waiting": "bold yellow",
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "terminated": "red",
    "timed_out": "red",
}
