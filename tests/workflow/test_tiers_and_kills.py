"""Workers are killed before each moment of a request: all timers keep to their seconds.

Nobody is there when a timer fires, and whoever comes next reminds, escalates and acts on the default
as if nothing had happened. The server's clock jumps; the workers are processes that are killed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from interlock.app import database_url
from interlock.approvals import ApprovalRequest
from interlock.audit import EventFilter
from interlock.audit.database import Database
from interlock.audit.store import SqlAuditStore
from interlock.settings import Settings
from interlock.testing.env import Handle
from interlock.testing.processes import Hosting, WorkerProcess
from tests.crash.deployments import settings_in
from tests.proofs import progress, write_proof
from tests.workflow.people import SIGNED, decide, paying, person
from tests.workflow.skipping import skipping_server
from tests.workflow.test_tier_grid import OUTCOMES, deadlines, fired, while_it_waits
from tests.workflow.tiered import GRID, Terms

_GAP = 30
"""Seconds until the next timer that a new worker is sure to be there before."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock jumps to the next timer when it is told to."""
    async with skipping_server() as running:
        yield running


class Site(NamedTuple):
    """A deployment without a worker."""

    server: WorkflowEnvironment
    settings: Settings

    async def started(self, name: str) -> Handle:
        """Start a run that pays."""
        client: Client = self.server.client
        return await client.start_workflow(
            "AgentWorkflow",
            {"agent": "payer", "input": name},
            id=name,
            task_queue=f"{self.settings.temporal.queue_prefix}interlock",
            execution_timeout=timedelta(days=400),
        )

    async def outcomes(self, handle: Handle) -> list[str]:
        """What the audit store has of a run's request and of its payment."""
        async with Database(database_url(self.settings)) as database:
            events = await SqlAuditStore(database).events(EventFilter(workflow_id=handle.id))
        return [event.outcome for event in events if event.kind == "decision"] + [
            f"paid {event.outcome}"
            for event in events
            if event.kind == "tool_call" and event.name == "pay"
        ]

    async def until(self, second: int, request: ApprovalRequest) -> None:
        """Let it be a second after a request was put."""
        moment = request.requested_at + timedelta(seconds=second)
        left = moment - await self.server.get_current_time()
        await self.server.sleep(max(left, timedelta()))


def _site(server: WorkflowEnvironment, folder: Path, names: Sequence[str]) -> Site:
    folder.mkdir()
    conversations = {name: paying(name, int(name.rpartition("-")[2])) for name in names}
    (folder / "script.json").write_text(json.dumps({"conversations": conversations}))
    approvals = {**SIGNED, "policy": "tests.workflow.tiered:tiered"}
    made = settings_in(
        folder,
        server.client,
        agents=["tests.workflow.payer:payer"],
        approvals=approvals,
        temporal={"cached_runs": 0},  # this server waits for ever for a worker that had a run
    )
    return Site(server, made)


async def _worker(site: Site) -> WorkerProcess:
    worker = await WorkerProcess.start(Hosting(site.settings))
    await worker.ready()
    return worker


async def _asked(handle: Handle) -> ApprovalRequest:
    while not (found := (await handle.query("pending_approvals"))["requests"]):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # a query cannot be awaited
    return ApprovalRequest.model_validate(found[0])


def _moments(terms: Terms) -> list[int]:
    """Seconds in which timers fire, without those that come before a new worker can be there."""
    found: list[int] = []
    for second in sorted({*(at for _, at in while_it_waits(terms)), deadlines(terms)[-1]}):
        if not found or second - found[-1] > _GAP:
            found.append(second)
    return found


async def killed_before(site: Site, names: Sequence[str], moments: Sequence[int]) -> None:
    """Let nobody decide, and a worker be killed before each of some seconds, and follow it."""
    terms = [GRID[int(name.rpartition("-")[2])] for name in names]
    worker = await _worker(site)
    handles = [await site.started(name) for name in names]
    requests = [await _asked(handle) for handle in handles]
    for second in moments:
        await site.until(second - 2, requests[-1])
        await worker.kill()
        await site.until(second + 1, requests[-1])
        worker = await _worker(site)
        for handle in handles:
            await handle.query("status")  # it has seen what happened meanwhile
    try:
        await asyncio.gather(*(handle.result() for handle in handles))
    finally:
        await worker.kill()
    for handle, request, own in zip(handles, requests, terms, strict=True):
        expected = [*while_it_waits(own), ("deadline", deadlines(own)[-1])]
        assert await fired(handle, request) == expected, own
        said = ["requested", *(OUTCOMES[what] for what, _ in expected[:-1]), "expired"]
        paid = ["approve", "paid done"] if own.default == "allow" else []
        assert await site.outcomes(handle) == said + paid, own


async def killed_after_each_vote(site: Site, name: str) -> int:
    """Let a tier approve, and a worker be killed after each vote; return how many were killed."""
    terms = GRID[int(name.rpartition("-")[2])]
    worker = await _worker(site)
    handle = await site.started(name)
    request = await _asked(handle)
    for place in range(terms.quorum):
        answer = await decide(handle, request, person(f"p{place}", "r0"))
        assert answer.missing == terms.quorum - 1 - place
        await worker.kill()
        worker = await _worker(site)
    try:
        await handle.result()
    finally:
        await worker.kill()
    votes = ["voted"] * (terms.quorum - 1)
    assert await site.outcomes(handle) == ["requested", *votes, "approve", "paid done"]
    return terms.quorum


def _numbers(**wanted: Any) -> list[int]:
    return [
        number
        for number, terms in enumerate(GRID)
        if all(getattr(terms, name) == value for name, value in wanted.items())
    ]


async def test_a_worker_is_killed_before_each_timer(
    server: WorkflowEnvironment, tmp_path: Path
) -> None:
    """A reminder, the escalation and the deadline come when no worker is there, for either default."""
    numbers = _numbers(tiers=2, quorum=2, deadline=5400, reminder=1800)
    names = [f"killed-{number}" for number in numbers]
    first, *_, last = moments = _moments(GRID[numbers[0]])
    assert 5400 in moments
    await killed_before(_site(server, tmp_path / "site", names), names, (first, 5400, last))


async def test_a_worker_is_killed_after_each_vote(
    server: WorkflowEnvironment, tmp_path: Path
) -> None:
    """Each person counts once, and it is paid once."""
    (number, *_) = _numbers(tiers=1, quorum=3, deadline=5400)
    name = f"voted-{number}"
    assert await killed_after_each_vote(_site(server, tmp_path / "site", [name]), name) == 3


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_workers_are_killed_in_every_combination(
    server: WorkflowEnvironment, tmp_path: Path
) -> None:
    """The same of all of them: those whose timers fire at the same times share their workers."""
    killed = votes = 0
    groups = sorted({terms._replace(quorum=1, default="deny") for terms in GRID})
    for place, group in enumerate(groups):
        wanted = {"tiers": group.tiers, "deadline": group.deadline, "reminder": group.reminder}
        names = [f"group-{place}-{number}" for number in _numbers(**wanted)]
        progress(f"{place} of {len(groups)} groups, {killed} workers killed")
        moments = _moments(group)
        await killed_before(_site(server, tmp_path / f"g{place}", names), names, moments)
        killed += len(moments)
    for quorum in (1, 2, 3):
        name = f"votes-{_numbers(tiers=1, quorum=quorum, deadline=5400)[0]}"
        votes += await killed_after_each_vote(_site(server, tmp_path / f"v{quorum}", [name]), name)
    found = {
        "combinations": len(GRID),
        "workers_killed_before_timers": killed,
        "workers_killed_after_votes": votes,
    }
    write_proof("tiers-and-kills", found, seeds=[])
