"""A run hears of a local activity in the order of its history, also when it was asked meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from interlock.activations import LATE, InOrderOfHistory, WatchedRunner

REACHED = {name: threading.Event() for name in ("first", "second", "asked")}
GO = {name: threading.Event() for name in ("first", "second")}
OVER = threading.Event()
"""The second activity is over."""


@activity.defn
async def hold(name: str) -> None:
    """Run until the test lets it go."""
    REACHED[name].set()
    await asyncio.to_thread(GO[name].wait)
    if name == "second":
        OVER.set()


@workflow.defn(sandboxed=False)
class Listener:
    """Does one thing or another, by what it had heard when its second call was over."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self) -> str:
        """Hear of one, and maybe of two."""
        await _hold("first")
        await workflow.wait_condition(lambda: "one" in self.heard)
        await _hold("second")
        if "two" not in self.heard:
            await workflow.sleep(0.001)
            return "one"
        await workflow.execute_activity(
            "hold", "second", start_to_close_timeout=timedelta(seconds=5)
        )
        return "two"

    @workflow.signal
    async def hear(self, what: str) -> None:
        """Hear something."""
        self.heard.append(what)

    @workflow.query
    def ask(self) -> int:
        """Answer when the second call is over, and core knows it."""
        REACHED["asked"].set()
        OVER.wait()
        time.sleep(0.2)  # nothing tells when core has heard of it
        return len(self.heard)


async def _hold(name: str) -> None:
    await workflow.execute_local_activity(hold, name, start_to_close_timeout=timedelta(seconds=5))


async def reached(name: str) -> None:
    """Wait for a moment of the run."""
    await asyncio.to_thread(REACHED[name].wait, 10)


async def listen(client: Client, queue: str) -> WorkflowHandle[Listener, str]:
    """Ask while the second call runs, which ends with its workflow task; something comes meanwhile."""
    handle = await client.start_workflow(
        Listener.run,
        id=queue,
        task_queue=queue,
        execution_timeout=timedelta(seconds=30),
    )
    await reached("first")
    asking = asyncio.create_task(handle.query(Listener.ask))
    await handle.signal(Listener.hear, "one")
    await asyncio.sleep(0.3)  # nothing tells when the server has the question
    GO["first"].set()
    await reached("second")
    await reached("asked")
    await handle.signal(Listener.hear, "two")
    GO["second"].set()
    assert await asking == 1
    return handle


async def test_a_task_in_another_order_is_made_again(server: Client) -> None:
    """The task that brings a local result late, with a signal, is given back, and the run replays."""
    queue = f"listener-{uuid.uuid4().hex[:12]}"
    runner = WatchedRunner(UnsandboxedWorkflowRunner(), InOrderOfHistory)
    async with Worker(
        server,
        task_queue=queue,
        workflows=[Listener],
        activities=[hold],
        unsandboxed_workflow_runner=runner,
    ):
        handle = await listen(server, queue)
        assert await handle.result() == "one"
    history = await handle.fetch_history()
    given_back = [
        event.workflow_task_failed_event_attributes.failure.message
        for event in history.events
        if event.HasField("workflow_task_failed_event_attributes")
    ]
    assert given_back == [LATE]
    await Replayer(workflows=[Listener]).replay_workflow(history)


def _activation(*kinds: str, replaying: bool = False) -> WorkflowActivation:
    made = WorkflowActivation(is_replaying=replaying)
    for kind in kinds:
        job = made.jobs.add()
        if kind == "query":
            job.query_workflow.query_type = "status"
        elif kind == "signal":
            job.signal_workflow.signal_name = "hear"
        else:
            job.resolve_activity.is_local = kind == "local"
    return made


@pytest.mark.parametrize(
    ("before", "now", "given_back"),
    [
        (("query",), ("signal", "local"), True),
        (("query",), ("remote", "local"), True),
        (("query",), ("local",), False),
        (("query",), ("signal", "remote"), False),
        (("signal",), ("signal", "local"), False),
    ],
)
def test_only_a_mixture_after_a_query_is_given_back(
    before: tuple[str, ...], now: tuple[str, ...], given_back: bool
) -> None:
    """Every other activation is the workflow's, and so is each one of a replay."""
    seen: list[WorkflowActivation] = []

    def activate(found: WorkflowActivation) -> WorkflowActivationCompletion:
        seen.append(found)
        return WorkflowActivationCompletion()

    for replaying in (False, True):
        watcher = InOrderOfHistory()
        watcher.watch(_activation(*before), activate)
        seen.clear()
        answer = watcher.watch(_activation(*now, replaying=replaying), activate)
        refused = given_back and not replaying
        assert len(seen) == (0 if refused else 1)
        assert answer.failed.failure.message == (LATE if refused else "")
