"""A worker is killed while calls wait for their turn: another makes each once, and no sooner."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from interlock.testing.following import follow_events
from interlock.testing.processes import Hosting, WorkerProcess
from tests.crash.deployments import scripted, settings_in
from tests.crash.pacing import RARE_SECONDS, RECORD
from tests.crash.test_limits import Site

BY_QUEUE, BY_TURNS = "rare_by_queue", "rare_by_turns"
LEAST_SECONDS = {BY_QUEUE: RARE_SECONDS - 1.1, BY_TURNS: RARE_SECONDS - 0.2}
"""Time between two calls: the burst of a queue is a second, and a call is written down a moment
after it was let go."""


async def until_one_waits(found: Site, tool: str, handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until the first call of a run is over, the run knows it, and the second waits."""
    kinds: list[str] = []
    async for event in follow_events(handle):
        kinds.append(event.WhichOneof("attributes").removesuffix("_event_attributes"))
        if kinds[-1] == "workflow_task_completed" and "activity_task_completed" in kinds:
            break  # nothing is under way: a task of the run that is lost takes ten seconds
    assert kinds.count("activity_task_completed") == 1
    assert kinds.count("timer_started") == (tool == BY_TURNS)
    while tool == BY_QUEUE and await found.backlog(tool) < 1:  # noqa: ASYNC110  a queue cannot be awaited
        await asyncio.sleep(0.05)


@pytest.mark.timeout(60)
async def test_calls_that_wait_outlive_their_worker(server: Client, tmp_path: Path) -> None:
    """One waits in the server's queue and one on a durable timer: the limit holds over the kill."""
    scripted(tmp_path / "project", {"conversations": {}})
    record = tmp_path / "record"
    settings = settings_in(tmp_path / "project", server, agents=["tests.crash.pacing:pacer"])
    hosting = Hosting(settings, {RECORD: str(record)})
    found = Site(server, settings.temporal.queue_prefix, record, set())
    handles = {tool: await found.start(tool, tool, 2, "acme") for tool in (BY_QUEUE, BY_TURNS)}
    first = await WorkerProcess.start(hosting)
    try:
        await asyncio.gather(*(until_one_waits(found, *item) for item in handles.items()))
    finally:
        await first.kill()
    second = await WorkerProcess.start(hosting)
    try:
        results = [await handle.result() for handle in handles.values()]
    finally:
        await second.kill()
    pids = [first.pid, second.pid]
    for tool, result in zip(handles, results, strict=True):
        calls = found.calls(tool)
        assert [call.pid for call in calls] == pids, tool
        assert calls[1].at - calls[0].at >= LEAST_SECONDS[tool], tool
        assert result["output"]["answers"] == [0, 1]
