"""Throttles and concurrency in real runs: who waits, where, and that nobody else does."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.common import Priority

from interlock.canonical import digest
from interlock.replay import read_steps
from interlock.replay.commands import Command, recorded
from interlock.replay.steps import Step, Waited
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.testing.following import follow_events
from tests.throttled import PRIORITY, RUNNING, STARTED, busy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment of the busy agent."""
    async with worker_env(server, tmp_path_factory.mktemp("busy"), agents=[busy()]) as running:
        yield running


async def start(env: WorkerEnv, tool: str, count: int, **request: str) -> tuple[Handle, str]:
    """Start a run that calls a tool so often, for a tenant of its own unless one is named."""
    name = uuid.uuid4().hex
    given = {"name": name, "tool": tool, "count": count}
    handle = await env.start("busy", given, **{"tenant": f"tenant-{name}", **request})
    return handle, name


async def steps(handle: Handle) -> list[Step]:
    """What a run did."""
    return read_steps((await handle.fetch_history()).events)


async def commands(handle: Handle) -> list[Command]:
    """What a run asked of Temporal."""
    return recorded((await handle.fetch_history()).events)


async def timer_started(handle: Handle, count: int = 1) -> None:
    """Wait until a run waits on so many timers."""
    async for event in follow_events(handle):
        count -= event.HasField("timer_started_event_attributes")
        if count == 0:
            return


async def test_calls_wait_for_their_turns_on_timers(env: WorkerEnv) -> None:
    """Six calls at five a second: the first goes at once, the others wait on timers with a name."""
    handle, name = await start(env, "by_tenant", 6)
    assert (await env.result(handle)).output["answers"] == list(range(6))
    spread = [later - sooner for sooner, later in pairwise(sorted(STARTED[name]))]
    assert sum(spread) >= 0.9 * 5 / 5
    waits = [step for step in await steps(handle) if isinstance(step, Waited)]
    assert [(step.tool, step.limit) for step in waits] == [("by_tenant", "5/s of each tenant")] * 5
    assert sorted(step.seconds for step in waits) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1], abs=0.3)
    await env.replay(handle)


async def test_tenants_do_not_wait_for_each_other(env: WorkerEnv) -> None:
    """While one tenant's calls wait, another's first call goes at once."""
    crowd, _ = await start(env, "by_tenant", 10)
    await timer_started(crowd)
    other, _ = await start(env, "by_tenant", 1)
    await env.result(other)
    assert not [step for step in await steps(other) if isinstance(step, Waited)]
    assert (await env.status(crowd)).state == "running"
    await crowd.signal("cancel_run", "enough")
    await env.result(crowd)


async def test_a_run_that_is_cancelled_while_it_waits_ends_at_once(env: WorkerEnv) -> None:
    """Its turns are lost, its calls are never made, and who comes later has its own turn."""
    handle, name = await start(env, "rare", 4, tenant="t", subject="s")
    await timer_started(handle, 2)
    await handle.signal("cancel_run", "enough")
    assert (await env.result(handle)).status == "cancelled"
    assert len(STARTED.get(name, [])) <= 2
    await env.replay(handle)
    later, _ = await start(env, "rare", 1, tenant="t", subject="s")
    await timer_started(later)
    await later.signal("cancel_run", "enough")
    await env.result(later)
    (wait,) = [step for step in await steps(later) if isinstance(step, Waited)]
    assert 60 < wait.seconds <= 90


async def test_a_retry_takes_a_turn_too(env: WorkerEnv) -> None:
    """Attempts of one call are calls to the other side, so they keep the rate."""
    handle, name = await start(env, "flaky", 1)
    assert (await env.result(handle)).output["answers"] == [0]
    spread = [later - sooner for sooner, later in pairwise(STARTED[name])]
    assert len(spread) == 2
    assert min(spread) >= 0.19


async def test_only_so_many_calls_run_at_once(env: WorkerEnv) -> None:
    """Two runs share the places of a tool; a call that finds none tries again and holds no slot."""
    (one, first), (two, second) = [await start(env, "few", 5) for _ in range(2)]
    results = await asyncio.gather(env.result(one), env.result(two))
    assert [result.output["answers"] for result in results] == [list(range(5))] * 2
    running = RUNNING[first] + RUNNING[second]
    assert len(running) == 10
    assert max(running) == 2
    await env.replay(one)


async def test_a_call_without_a_throttle_costs_nothing(env: WorkerEnv) -> None:
    """It has no timer, and no local activity books a turn."""
    for tool in ("free", "few"):
        handle, _ = await start(env, tool, 1)
        await env.result(handle)
        found = await commands(handle)
        assert not [command for command in found if command.kind == "timer"]
        assert not [item for item in found if item.call and item.call.name == "throttle.book"]


async def test_every_activity_is_fair_to_its_tenant(env: WorkerEnv) -> None:
    """The server serves tenants in turn by the fairness key of their activities."""
    handle, _ = await start(env, "free", 2, tenant="acme")
    await env.result(handle)
    events = (await handle.fetch_history()).events
    scheduled = [
        event.activity_task_scheduled_event_attributes
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert [item.priority.fairness_key for item in scheduled] == ["acme"] * 2


async def test_priority_is_the_one_the_run_was_started_with(env: WorkerEnv) -> None:
    """Whoever starts a run gives its activities a priority and a weight; the key is the tenant's."""
    name = uuid.uuid4().hex
    given = {
        "agent": "busy",
        "tenant": "t" * 65,
        "input": {"name": name, "tool": "free", "count": 1},
    }
    await env.client.execute_workflow(
        "AgentWorkflow",
        given,
        id=f"busy-{name}",
        task_queue=env.task_queue,
        priority=Priority(priority_key=1, fairness_key="mine", fairness_weight=2.0),
    )
    found = PRIORITY[name]
    assert (found.priority_key, found.fairness_weight) == (1, 2.0)
    assert found.fairness_key == digest("t" * 65)[:32]
