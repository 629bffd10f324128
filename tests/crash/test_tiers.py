"""Workers are killed while people are asked: every timer fires in its second, and each vote counts once.

Nobody is there when a timer fires, and whoever comes next escalates and acts on the default as if
nothing had happened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from temporalio.client import Client

from interlock.app import database_url
from interlock.approvals import ApprovalRequest
from interlock.audit import EventFilter
from interlock.audit.database import Database
from interlock.audit.store import SqlAuditStore
from interlock.settings import Settings
from interlock.testing.env import Handle
from interlock.testing.following import follow_events
from interlock.testing.processes import Hosting, WorkerProcess
from tests.crash.deployments import scripted, settings_in
from tests.workflow.people import SIGNED, decide, paying, person
from tests.workflow.test_tier_grid import OUTCOMES, deadlines, fired, while_it_waits
from tests.workflow.tiered import GRID, QUICK, Terms


class Site(NamedTuple):
    """A deployment that asks on the terms of the grid; its workers are started one by one."""

    client: Client
    settings: Settings

    async def worker(self) -> WorkerProcess:
        """Start a worker."""
        worker = await WorkerProcess.start(Hosting(self.settings))
        await worker.ready()
        return worker

    async def asked(self, name: str) -> tuple[Handle, ApprovalRequest]:
        """Start a run that pays, and wait until it asks."""
        handle: Handle = await self.client.start_workflow(
            "AgentWorkflow",
            {"agent": "payer", "input": name},
            id=f"{self.settings.temporal.queue_prefix}{name}",
            task_queue=f"{self.settings.temporal.queue_prefix}interlock",
            execution_timeout=timedelta(minutes=5),
        )
        async for event in follow_events(handle):
            if event.HasField("workflow_properties_modified_event_attributes"):
                break
        (request,) = (await handle.query("pending_approvals"))["requests"]
        return handle, ApprovalRequest.model_validate(request)

    async def outcomes(self, handle: Handle) -> list[str]:
        """What the audit store has of a run's request, and of its payment."""
        async with Database(database_url(self.settings)) as database:
            events = await SqlAuditStore(database).events(EventFilter(workflow_id=handle.id))
        decided = [event.outcome for event in events if event.kind == "decision"]
        calls = [event for event in events if event.kind == "tool_call" and event.name == "pay"]
        return [*decided, *(f"paid {event.outcome}" for event in calls)]


def site(server: Client, folder: Path, names: list[str]) -> Site:
    """Make a deployment whose model pays by the names of its runs."""
    conversations = {name: paying(name, int(name.rpartition("-")[2])) for name in names}
    scripted(folder / "project", {"conversations": conversations})
    approvals = {**SIGNED, "policy": "tests.workflow.tiered:tiered"}
    agents = ["tests.workflow.payer:payer"]
    return Site(server, settings_in(folder / "project", server, agents=agents, approvals=approvals))


async def timers(handle: Handle) -> AsyncIterator[bool]:
    """Yield when a timer of a run has fired, and again when a worker has acted on that."""
    is_due = False
    async for event in follow_events(handle):
        if event.HasField("timer_fired_event_attributes"):
            is_due = True
            yield True
        if is_due and event.HasField("workflow_task_completed_event_attributes"):
            is_due = False
            yield False


def expected(terms: Terms) -> list[tuple[str, int]]:
    """What fires in which second when nobody decides."""
    return [*while_it_waits(terms), ("deadline", deadlines(terms)[-1])]


@pytest.mark.timeout(120)
async def test_timers_fire_while_no_worker_is_there(server: Client, tmp_path: Path) -> None:
    """A reminder, the escalation and the deadline: each in its second, and the default holds once."""
    names = [f"quick-{len(GRID) + place}" for place in range(len(QUICK))]
    found = site(server, tmp_path, names)
    worker = await found.worker()
    runs = [await found.asked(name) for name in names]
    moments = timers(runs[0][0])
    for _ in ("the escalation", "the deadline"):
        await worker.kill()
        assert await anext(moments)
        worker = await found.worker()
        assert not await anext(moments)
    try:
        for handle, _ in runs:
            await handle.result()
    finally:
        await worker.kill()
    for (handle, request), terms in zip(runs, QUICK, strict=True):
        assert await fired(handle, request) == expected(terms), terms
        said = ["requested", *(OUTCOMES[what] for what, _ in expected(terms)[:-1]), "expired"]
        paid = ["approve", "paid done"] if terms.default == "allow" else []
        assert await found.outcomes(handle) == said + paid, terms


@pytest.mark.timeout(120)
async def test_a_worker_is_killed_after_each_vote(server: Client, tmp_path: Path) -> None:
    """Three people have to approve: each counts once, and it is paid once."""
    number = GRID.index(Terms(1, 3, 5400, "deny", 0))
    found = site(server, tmp_path, [f"votes-{number}"])
    worker = await found.worker()
    handle, request = await found.asked(f"votes-{number}")
    for left in (2, 1, 0):
        answer = await decide(handle, request, person(f"p{left}", "r0"))
        assert answer.missing == left
        await worker.kill()
        worker = await found.worker()
    try:
        await handle.result()
    finally:
        await worker.kill()
    votes = ["voted", "voted", "approve", "paid done"]
    assert await found.outcomes(handle) == ["requested", *votes]
