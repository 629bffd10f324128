"""Tiers, quorum, deadlines and reminders, on a server whose clock jumps to the next timer.

Times are those of the server: what has to happen at a moment happens in its second.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from interlock.approvals import ApprovalRequest
from interlock.approvals.people import Person
from interlock.audit import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, shopper
from tests.workflow.people import ANN, BEN, LEA, LUC, OLGA, SIGNED, decide, paying

TIERS = """
tiers:
  desk: {who: reviewer, quorum: 2, deadline: 4h, remind_every: 1h, escalate_to: lead}
  lead: {who: lead, deadline: 1h, remind_every: 25m, escalate_to: owner}
  owner: {who: "user:olga", deadline: 2d}
"""
RULES = """
rules:
  - {name: ladder, tool: pay, when: "args.amount > 100", then: {ask: {tier: desk}}}
  - {name: yes, tool: pay, when: "args.amount > 50", then: {ask: {tier: lead, on_timeout: allow}}}
  - {name: months, tool: pay, when: "args.amount > 40", then: {ask: {deadline: 90d, remind_every: 1h}}}
  - {name: two, tool: pay, when: "args.amount > 20", then: {ask: {quorum: 2}}}
  - {name: one, tool: pay, then: {ask: {tier: owner}}}
"""
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class World(NamedTuple):
    """A deployment, and the server whose clock it lives by."""

    env: WorkerEnv
    server: WorkflowEnvironment


NAMES: dict[str, tuple[int, ...]] = {
    "quorum": (101,),
    "escalated": (102,),
    "nobody": (103,),
    "unanswered": (51,),
    "months": (41,),
    "rejected": (104,),
    "changed": (105,),
    "votes": (106,),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A deployment with tiers, which takes signed decisions only."""
    folder = tmp_path_factory.mktemp("tiers")
    (folder / "rules.yaml").write_text(TIERS + RULES, encoding="utf-8")
    script = {"conversations": {name: paying(name, *amounts) for name, amounts in NAMES.items()}}
    path = shutil.which("temporal-test-server", path=str(Path(sys.executable).parent))
    async with (
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=path) as server,
        worker_env(
            server.client,
            folder,
            agents=[shopper()],
            script=script,
            approvals={**SIGNED, "policy": str(folder / "rules.yaml")},
        ) as env,
    ):
        yield World(env, server)


async def asked(world: World, name: str) -> tuple[Handle, ApprovalRequest]:
    """A run that waits for people."""
    handle = await world.env.start("shopper", name, timeout=timedelta(days=400))
    (action,) = await world.env.pending(handle)
    return handle, action


async def noted(world: World, handle: Handle) -> list[tuple[str, timedelta]]:
    """What happened to the requests of a run, and how long after the first was put."""
    events = await world.env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    return [(event.outcome, event.started_at - events[0].started_at) for event in events]


async def test_x(world: World) -> None:
    handle, action = await asked(world, "quorum")
    print(action)
