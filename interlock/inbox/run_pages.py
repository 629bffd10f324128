"""Pages of runs, and the stream that tells open pages of changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from interlock.approvals.people import Person
from interlock.errors import BadInput, InterlockError
from interlock.inbox.api import Cursor, Name
from interlock.inbox.identity import Changer, Reader
from interlock.inbox.masking import masked
from interlock.inbox.pages import picture_of
from interlock.inbox.people import let_review, standings
from interlock.inbox.rendering import render
from interlock.inbox.revealing import note_run
from interlock.inbox.runs import FollowedRuns
from interlock.inbox.runs_api import RunId, Start
from interlock.inbox.services import Here, Inbox
from interlock.replay.steps import Step, totals
from interlock.replay.telling import told, totals_line
from interlock.runs.asked import RequestFilter
from interlock.runs.contract import OpenRequest
from interlock.runs.filters import RunFilter

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_ON_A_PAGE = 40
_STEPS = 300
_STREAM_SECONDS = 300.0
"""How long one stream lasts; a browser comes back by itself, and is asked who it is again."""


def _who_reviews(person: Reader) -> Person:
    """Return who sees requests: once a stream has begun, it is too late to refuse it."""
    let_review(person)
    return person


Reviewing = Annotated[Person, Depends(_who_reviews)]


@router.get("/runs")
async def list_runs(
    request: Request,
    inbox: Here,
    person: Reader,
    status: Name = "",
    agent: Name = "",
    tenant: Name = "",
    cursor: Cursor = "",
) -> Response:
    """List runs, newest first."""
    try:
        where = RunFilter.model_validate(
            {"status": status or None, "agent": agent, "tenant": tenant}
        )
    except ValueError as error:
        raise BadInput("this filter is not one that the page offers.") from error
    page = await FollowedRuns(inbox.runs).page(
        person,
        status=where.status,
        agent=agent,
        tenant=tenant,
        limit=_ON_A_PAGE,
        cursor=cursor,
    )
    return render(
        request,
        "runs.html",
        person=person,
        form_token=inbox.sessions.form_token(request),
        active="runs",
        page=page,
        where=where,
    )


@router.get("/runs/{workflow_id:path}")
async def one_run(
    request: Request,
    inbox: Here,
    person: Reader,
    workflow_id: RunId,
    start: Start = 0,
) -> Response:
    """Show what a run did, its state and its graph."""
    return await _run_page(request, inbox, person, workflow_id, start)


@router.post("/runs/{workflow_id:path}/reveal")
async def reveal(
    request: Request, inbox: Here, person: Changer, workflow_id: RunId, start: Start = 0
) -> Response:
    """Show a run with what is personal; it is recorded who saw it."""
    let_review(standings(person)[0])
    await note_run(inbox.audit, person, await FollowedRuns(inbox.runs).one(person, workflow_id))
    return await _run_page(request, inbox, person, workflow_id, start, revealed=True)


async def _run_page(
    request: Request,
    inbox: Inbox,
    person: Person,
    workflow_id: str,
    start: int,
    *,
    revealed: bool = False,
) -> Response:
    followed = FollowedRuns(inbox.runs)
    summary = await followed.one(person, workflow_id)
    steps = await followed.steps(person, workflow_id)
    began = steps[0].at if steps else summary.started_at
    done = steps[start : start + _STEPS]
    state = await _state(inbox, workflow_id)
    shown = [step if revealed else _covered(step) for step in done]
    is_masked = not revealed and (shown != done or masked(state) != state)
    return render(
        request,
        "run.html",
        person=person,
        form_token=inbox.sessions.form_token(request),
        active="runs",
        run=summary,
        revealed=revealed,
        may_reveal=person.may_be_asked and is_masked,
        lines=[_line(step, began) for step in shown],
        start=start,
        next=start + _STEPS if len(steps) > start + _STEPS else None,
        used=totals_line(totals(steps)),
        state=state if revealed else masked(state),
        picture=await picture_of(inbox, workflow_id),
    )


@router.get("/events", response_class=EventSourceResponse)
async def events(inbox: Here, person: Reviewing) -> AsyncIterator[ServerSentEvent]:
    """Tell an open page, at first and whenever what this person sees of the queue has changed."""
    seen: list[OpenRequest] | None = None
    version, ends = -1, time.monotonic() + _STREAM_SECONDS
    while (left := ends - time.monotonic()) > 0 and not inbox.board.is_closed:
        shown = await inbox.requests.seen_by(person, RequestFilter())
        if shown != seen:
            seen = shown
            yield ServerSentEvent(event="queue", data={"open": len(shown)})
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                version = await inbox.board.changed(version)


def _covered(step: Step) -> Step:
    return type(step).model_validate(masked(step.model_dump()))


def _line(step: Step, began: datetime) -> dict[str, Any]:
    what, more = told(step)
    return {
        "step": step,
        "seconds": (step.at - began).total_seconds(),
        "what": what,
        "more": more,
        "node": getattr(step, "node", ""),
        "error": getattr(step, "error", None),
    }


async def _state(inbox: Inbox, workflow_id: str) -> object:
    try:
        return await inbox.runs.query(workflow_id, "state")
    except InterlockError:
        return None
