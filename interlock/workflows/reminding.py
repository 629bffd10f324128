"""What people are told of a request: that it was put, reminders, and the next tier, on durable timers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal, NamedTuple

from temporalio import workflow

from interlock.approvals.contract import ApprovalRequest, Notice
from interlock.errors import InterlockError
from interlock.workflows import calls
from interlock.workflows.run import Run

MOST_REMINDERS = 20
"""Reminders of one request: a wait of months stays a small history."""

What = Literal["requested", "reminder", "escalation"]

_OUTCOMES: dict[What, str] = {"reminder": "reminded", "escalation": "escalated"}
"""Of moments that are recorded here; that it was requested is recorded where it is put."""


class Moment(NamedTuple):
    """When people are told something."""

    at: datetime
    what: What


def remind(run: Run, request: ApprovalRequest) -> asyncio.Task[None] | None:
    """Tell people of a request at each of its moments, until the task is cancelled.

    Returns:
        The task, or None when there is nothing to tell.
    """
    found = moments(request)
    if run.terms.notify:
        found = [Moment(request.requested_at, "requested"), *found]
    return asyncio.create_task(_tell_all(run, request, found)) if found else None


async def _tell_all(run: Run, request: ApprovalRequest, found: list[Moment]) -> None:
    # Each in a task of its own: whom nobody can reach does not hold up the next.
    async with asyncio.TaskGroup() as telling:
        for moment in found:
            if moment.what != "requested":
                await _sleep_until(moment, request)
            notice = _note(run, request, moment)
            telling.create_task(_tell(run, notice))


async def _sleep_until(moment: Moment, request: ApprovalRequest) -> None:
    wait = max(moment.at - workflow.now(), timedelta())
    await workflow.sleep(wait, summary=f"{moment.what} of {request.tool or request.kind}")


def moments(request: ApprovalRequest) -> list[Moment]:
    """Return when people are reminded of a request or others are asked, in order."""
    reminders = islice(sorted(_reminders(request)), MOST_REMINDERS)
    escalations = (tier.until for tier in request.tiers[:-1])
    found = [Moment(at, "reminder") for at in reminders]
    return sorted([*found, *(Moment(at, "escalation") for at in escalations)])


def _reminders(request: ApprovalRequest) -> Iterator[datetime]:
    start = request.requested_at
    for tier in request.tiers:
        every = timedelta(seconds=tier.remind_every or 0)
        count = 1
        while every and start + count * every < tier.until and count <= MOST_REMINDERS:
            yield start + count * every
            count += 1
        start = tier.until


def _note(run: Run, request: ApprovalRequest, moment: Moment) -> Notice:
    """Record a moment and return what people are told."""
    now = max(workflow.now(), moment.at)  # a timer may be early by less than a millisecond
    seen = run.desk.request_at(request.id, now)
    notice = Notice(
        kind=moment.what,
        workflow_id=run.workflow_id,
        request_id=request.id,
        subject=request.tool or request.kind,
        agent=request.agent,
        tenant=request.tenant,
        risk=request.risk,
        tier=seen.tier,
        missing=seen.tier.quorum - len(seen.votes),
    )
    if moment.what in _OUTCOMES:
        run.note(
            "decision",
            notice.subject,
            _OUTCOMES[moment.what],
            now,
            request=request.id,
            tier=notice.tier.tier,
            who=list(notice.tier.who),
            until=notice.tier.until.isoformat(),
        )
    return notice


async def _tell(run: Run, notice: Notice) -> None:
    try:
        await calls.notify(notice, summary=f"{notice.kind} of {notice.subject}")
    except InterlockError as error:  # nobody was told; the request waits all the same
        about = {"request": notice.request_id, "why": error.message}
        run.note("decision", notice.subject, "not told", workflow.now(), **about)
