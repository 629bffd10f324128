"""Workflows of a deployment's own replay as runs of `AgentWorkflow` do, in the sandbox."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from interlock.replay import Code, History, fetch, load_code, read_steps, replay, supersteps
from interlock.replay.commands import recorded
from interlock.settings import Settings
from interlock.testing import WorkerEnv, worker_env
from tests.replay.case import HastyCase, LoudCase, TalkCase
from tests.replay.deployment import SCRIPT, agents, talker


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def history(
    server: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[History]:
    """A recorded case."""
    async with worker_env(
        server,
        tmp_path_factory.mktemp("case"),
        agents=agents(),
        script=SCRIPT,
        workflows=["tests.replay.case:TalkCase"],
        activities=["tests.replay.case:notify"],
    ) as env:
        yield await _recorded(env)


async def _recorded(env: WorkerEnv) -> History:
    handle = await env.client.start_workflow(
        "TalkCase", args=["talk", "ann"], id=f"case-{uuid.uuid4()}", task_queue=env.task_queue
    )
    assert await handle.result() == {"reply": "answer 0", "told": "told ann"}
    return await fetch(env.client, handle.id)


def code(*workflows: type) -> Code:
    """Today's code with these workflows."""
    return load_code(Settings(), agents=[talker()], workflows=workflows)


async def test_unchanged_it_takes_the_recorded_path(history: History) -> None:
    """A patch, activities, a timer and a hosted agent; Temporal's own attributes are no command."""
    report = await replay(history, code(TalkCase))
    assert report.divergence is None
    assert report.commands == len(recorded(history.events))


async def test_its_steps_are_read(history: History) -> None:
    """Its own activities stand beside the agent's calls."""
    steps = read_steps(history.events)
    kinds = [step.kind for step in steps]
    assert kinds == ["started", "activity", "opened", "model", "activity", "ended"]
    assert steps[0].model_dump()["input"] == ["talk", "ann"]


async def test_its_agent_is_debugged(history: History) -> None:
    """The supersteps are those of the hosted agent; its own activities are shown where they fall."""
    report = await supersteps(history, code(TalkCase))
    assert report.report.divergence is None
    texts = [call.text for step in report.supersteps for call in step.calls]
    assert "model call 'fast' in node 'chat'" in texts
    assert "activity 'notify' (tell ann)" in texts
    assert report.ended == "completed"


async def test_another_input_of_its_activity_is_named(history: History) -> None:
    """Compared as plain data: the engine does not know the contract."""
    report = await replay(history, code(LoudCase))
    assert report.divergence is not None
    assert report.divergence.kind == "arguments"
    assert [(c.recorded, c.today) for c in report.divergence.changes] == [("ann", "ANN")]


async def test_a_removed_timer_is_named(history: History) -> None:
    """The recorded command that is missing is told, with its summary."""
    report = await replay(history, code(HastyCase))
    assert report.divergence is not None
    assert report.divergence.kind == "path"
    assert report.divergence.expected == "timer: a breath"
    assert report.divergence.actual == "activity 'notify' (tell ann)"
