"""Commands that talk to a run: `send`, `cancel` and `feedback`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from interlock.cli.options import Json, RunId
from interlock.cli.output import Output

if TYPE_CHECKING:
    from interlock.audit.contract import AuditEvent
    from interlock.runs.contract import RunSummary

_PANEL = "Runs"

app = typer.Typer()


@app.command(rich_help_panel=_PANEL)
def send(
    workflow_id: RunId,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What a person says.")],
    as_json: Json = False,
) -> None:
    """Give a conversation its next message.

    Example: interlock send assistant-3f9a12bc "And where is my other parcel?"
    """
    asyncio.run(_send(Output(as_json), workflow_id, message))


@app.command(rich_help_panel=_PANEL)
def cancel(
    workflow_id: RunId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for the record.")] = "",
    as_json: Json = False,
) -> None:
    """Stop a run: its current call is stopped, and it ends as cancelled.

    Example: interlock cancel support-3f9a12bc --reason "the customer called"
    """
    asyncio.run(_cancel(Output(as_json), workflow_id, reason))


@app.command(rich_help_panel=_PANEL)
def feedback(
    workflow_id: RunId,
    score: Annotated[
        Literal["up", "down"], typer.Option("--score", "-s", help="Was the run any good?")
    ],
    comment: Annotated[str, typer.Option("--comment", "-c", help="Why.")] = "",
    as_json: Json = False,
) -> None:
    """Record what a person thinks of a run.

    Example: interlock feedback support-3f9a12bc --score down --comment "wrong order"
    """
    asyncio.run(_feedback(Output(as_json), workflow_id, score, comment))


async def _send(out: Output, workflow_id: str, message: str) -> None:
    from interlock.errors import CallerError, from_code
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    answer = await runs.send(workflow_id, message)
    if not answer.accepted:
        known = from_code(answer.code, answer.message, {"workflow_id": workflow_id})
        raise known or CallerError(answer.message, workflow_id=workflow_id)
    out.answer(
        {"accepted": True, "workflow_id": workflow_id},
        f"sent. What it answers: interlock show {workflow_id}",
    )


async def _cancel(out: Output, workflow_id: str, reason: str) -> None:
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    await runs.cancel(workflow_id, reason)
    out.answer(
        {"asked": True, "workflow_id": workflow_id},
        f"asked {workflow_id} to stop. How it ended: interlock show {workflow_id}",
    )


async def _feedback(out: Output, workflow_id: str, score: str, comment: str) -> None:
    from interlock.app import database_url
    from interlock.audit.database import Database
    from interlock.audit.store import SqlAuditStore
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    event = _event(await runs.summary(workflow_id), score, comment)
    async with Database(database_url(runs.settings)) as database:
        await SqlAuditStore(database).record([event])
    out.answer({"recorded": True, "id": event.id, "workflow_id": workflow_id}, "recorded.")


def _event(run: RunSummary, score: str, comment: str) -> AuditEvent:
    import uuid
    from datetime import UTC, datetime

    from interlock.audit.contract import AuditEvent
    from interlock.cli.requests import reviewer_name
    from interlock.context import CallContext

    now = datetime.now(UTC)
    return AuditEvent(
        id=f"{run.run_id}/feedback/{uuid.uuid4().hex}",
        kind="feedback",
        name=score,
        outcome="recorded",
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        context=CallContext(agent=run.agent, tenant=run.tenant or "default", release=run.release),
        started_at=now,
        ended_at=now,
        details={"comment": comment, "by": reviewer_name()},
    )
