"""What `show` says of calls that a limit keeps back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.client import Client

from interlock.cli.show import _waiting_line
from interlock.cli.waiting import WaitingCall, waiting_calls
from interlock.replay import fetch
from interlock.runs.client import Runs
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.throttled import HOLD, busy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment of the busy agent."""
    async with worker_env(server, tmp_path_factory.mktemp("busy"), agents=[busy()]) as running:
        yield running


async def start(env: WorkerEnv, tool: str, count: int) -> tuple[Handle, str]:
    """Start a run that calls a tool so often."""
    name = uuid.uuid4().hex
    HOLD[name] = asyncio.Event()
    given = {"name": name, "tool": tool, "count": count}
    return await env.start("busy", given, tenant=name), name


async def waiting(env: WorkerEnv, handle: Handle, count: int) -> list[WaitingCall]:
    """Look until so many calls of a run wait."""
    runs = Runs(env.app.settings, env.client)
    async with asyncio.timeout(30):
        while True:
            history = await fetch(env.client, handle.id)
            found = await waiting_calls(runs, handle.id, history.events)
            if len(found) == count:
                return found
            await asyncio.sleep(0.05)


def text(call: WaitingCall) -> str:
    """The line of a call."""
    return str(_waiting_line(call))


async def test_a_call_that_waits_for_its_turn(env: WorkerEnv) -> None:
    """Its timer tells since when it waits, which limit it is, and when it starts."""
    handle, _ = await start(env, "rare", 3)
    (call,) = await waiting(env, handle, 1)
    assert (call.tool, call.limit, call.backlog) == ("rare", "120/h of each subject", None)
    assert call.estimated_start is not None
    assert (call.estimated_start - call.since).total_seconds() == pytest.approx(30, abs=5)
    assert "rare waits since" in text(call)
    assert "limit 120/h of each subject, may start about" in text(call)
    await handle.signal("cancel_run", "enough")
    await env.result(handle)
    assert await waiting(env, handle, 0) == []


async def test_a_call_that_waits_in_the_queue_of_its_tool(env: WorkerEnv) -> None:
    """The server tells how many calls wait and at what rate they go."""
    handle, _ = await start(env, "queued", 4)
    calls = await waiting(env, handle, 3)
    assert {(call.tool, call.limit) for call in calls} == {("queued", "0.5/s")}
    backlog = calls[0].backlog
    assert backlog is not None
    assert 2 <= backlog <= 4
    assert calls[0].estimated_start is not None
    left = calls[0].estimated_start - datetime.now(UTC)
    assert timedelta(seconds=2) < left <= timedelta(seconds=9)
    assert f"about {backlog} in its queue" in text(calls[0])
    await handle.signal("cancel_run", "enough")
    await env.result(handle)


async def test_a_call_that_waits_for_another_to_end(env: WorkerEnv) -> None:
    """Its last attempt found no place: the limit is told, and when it looks again."""
    handle, name = await start(env, "held", 2)
    (call,) = await waiting(env, handle, 1)
    assert (call.tool, call.limit, call.backlog) == ("held", "1 at once", None)
    assert call.estimated_start is not None
    assert call.since <= call.estimated_start
    HOLD[name].set()
    assert (await env.result(handle)).output["answers"] == [0, 1]
