"""A Temporal server whose clock jumps to the next timer when a test lets it."""

from __future__ import annotations

import asyncio
import gc
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from temporalio.testing import WorkflowEnvironment

from interlock.approvals import ApprovalRequest
from interlock.audit import EventFilter
from interlock.testing import WorkerEnv
from interlock.testing.env import Handle

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

forgotten_runs = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""For tests on this server: each jump is longer than a worker may take to ask for the next task of a
run that it remembers, so it forgets the run, in the middle of its graph, and replays it."""


@asynccontextmanager
async def skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """Run the server until the context ends."""
    path = shutil.which("temporal-test-server", path=str(Path(sys.executable).parent))
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=path
    ) as server:
        yield server
    gc.collect()  # what was forgotten is told now, and not in another test


class World(NamedTuple):
    """A deployment, and the server whose clock it lives by."""

    env: WorkerEnv
    server: WorkflowEnvironment


async def asked(
    world: World, name: str, agent: str = "shopper", **request: Any
) -> tuple[Handle, ApprovalRequest]:
    """A run that waits for people."""
    handle = await world.env.start(agent, name, lasts=timedelta(days=400), **request)
    (action,) = await waiting(world, handle)
    return handle, action


async def waiting(world: World, handle: Handle, count: int = 1) -> list[ApprovalRequest]:
    """The open requests of a run, as soon as there are some; this server has no long polls."""
    while len(found := await world.env.open_requests(handle)) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.02)  # a query cannot be awaited
    return found


async def noted(world: World, handle: Handle) -> list[tuple[str, str, timedelta]]:
    """What happened to the requests of a run, to which tier, and how long after the first was put.

    In whole seconds: what is late by one fails.
    """
    events = await world.env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    start = events[0].started_at
    return [
        (event.outcome, event.details.get("tier", ""), _seconds(event.started_at - start))
        for event in events
    ]


def _seconds(span: timedelta) -> timedelta:
    return timedelta(seconds=int(span.total_seconds()))
