"""A whole deployment for a test: real server, SQLite and Chroma, scripted models, real workers."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer

from interlock.agents.spec import Agent
from interlock.app import App
from interlock.approvals.contract import ApprovalRequest, DecisionAnswer
from interlock.settings import Settings
from interlock.testing.following import follow_events
from interlock.tools.definition import Tool
from interlock.worker import replayer, running_workers
from interlock.workflows.calls import WORKFLOW_QUEUE
from interlock.workflows.contract import RunResult, RunStatus

Handle = WorkflowHandle[Any, Any]

_PATIENCE = timedelta(seconds=60)


class WorkerEnv:
    """An open deployment with running workers on task queues of its own."""

    def __init__(self, app: App, client: Client, replayer: Replayer) -> None:
        self.app = app
        self.client = client
        self._replayer = replayer

    @property
    def task_queue(self) -> str:
        """Task queue to start workflows on."""
        return self.app.settings.temporal.queue_prefix + WORKFLOW_QUEUE

    async def start(
        self,
        agent: str,
        message: str | dict[str, Any],
        *,
        workflow_id: str | None = None,
        lasts: timedelta = _PATIENCE,
        **request: Any,
    ) -> Handle:
        """Start a run; it fails after a minute if nothing ends it.

        Args:
            agent: Name of the agent.
            message: Text or graph input.
            workflow_id: A fresh one by default.
            lasts: When it fails, if not after a minute, by the server's clock.
            request: More fields of `RunRequest`.
        """
        return await self.client.start_workflow(
            "AgentWorkflow",
            {"agent": agent, "input": message, **request},
            id=workflow_id or f"{agent}-{uuid.uuid4().hex[:12]}",
            task_queue=self.task_queue,
            execution_timeout=lasts,
        )

    async def result(self, handle: Handle) -> RunResult:
        """Wait for a run's end."""
        return RunResult.model_validate(await handle.result())

    async def status(self, handle: Handle) -> RunStatus:
        """Ask what a run is doing."""
        return RunStatus.model_validate(await handle.query("status"))

    async def pending(self, handle: Handle, *, count: int = 1) -> list[ApprovalRequest]:
        """Wait until at least `count` requests are open and return all that are.

        A run that continues as new is followed into the next one.

        Raises:
            AssertionError: the run ended first.
        """
        async for event in self._events(handle):
            if event.HasField("workflow_execution_failed_event_attributes"):
                failure = event.workflow_execution_failed_event_attributes.failure
                raise AssertionError(f"run {handle.id!r} failed: {failure.message}")
            if not event.HasField("workflow_properties_modified_event_attributes"):
                continue
            found = await self.open_requests(handle)
            if len(found) >= count:
                return found
        raise AssertionError(f"run {handle.id!r} ended before {count} request(s) were open")

    async def idle(self, handle: Handle) -> None:
        """Wait until a conversation waits for a message, in whichever run of its chain.

        Raises:
            AssertionError: it ended first.
        """
        async for event in self._events(handle):
            moved = event.HasField("upsert_workflow_search_attributes_event_attributes")
            if moved and (await self.status(handle)).state == "idle":
                return
        raise AssertionError(f"run {handle.id!r} ended before it was idle")

    async def _events(self, handle: Handle) -> AsyncIterator[HistoryEvent]:
        """Yield the events of a run and, when it continues as new, of the next one."""
        goes_on = True
        while goes_on:
            goes_on = False
            async for event in follow_events(handle):
                yield event
                goes_on = event.HasField("workflow_execution_continued_as_new_event_attributes")

    async def open_requests(self, handle: Handle) -> list[ApprovalRequest]:
        """Return the requests that are open now."""
        answer = await handle.query("pending_approvals")
        return [ApprovalRequest.model_validate(item) for item in answer["requests"]]

    async def decide(
        self, handle: Handle, request: ApprovalRequest, verb: str, **fields: Any
    ) -> DecisionAnswer:
        """Send a decision by update and return the answer."""
        decision = {
            "request_id": request.id,
            "verb": verb,
            "digest": request.digest,
            "reviewer": "tester",
            **fields,
        }
        answer = await handle.execute_update("submit_decision", decision)
        return DecisionAnswer.model_validate(answer)

    async def replay(self, handle: Handle) -> None:
        """Replay a run against the code that is loaded now.

        Raises:
            Exception: it takes another path.
        """
        await self._replayer.replay_workflow(await handle.fetch_history())


@asynccontextmanager
async def worker_env(
    client: Client,
    folder: Path,
    *,
    agents: Sequence[Agent] = (),
    tools: Sequence[Tool] = (),
    script: Any = None,
    probe: Any = None,
    **settings: Any,
) -> AsyncIterator[WorkerEnv]:
    """Run a deployment in `folder` against a server until the context ends.

    Args:
        client: A client of the server. Its data converter is not used.
        folder: An empty folder for databases and payloads.
        agents: Agents, beside those that `settings` names.
        tools: Tools that agents call; those of the agents are there without being named.
        script: The scripted model of the roles `fast` and `strong`; see `interlock.models.script`.
        probe: Told of each point of a tool call; for crash tests.
        settings: More fields of `Settings`, for example `approvals={"high": "allow"}`.
    """
    (folder / "script.json").write_text(json.dumps(script or []), encoding="utf-8")
    role = {"candidates": [{"model": "scripted:script.json"}]}
    settings.setdefault("models", {"fast": role, "strong": role})
    settings.setdefault("memory", {"embedder": "hashing"})
    temporal = {
        "address": client.service_client.config.target_host,
        "queue_prefix": f"{uuid.uuid4().hex[:8]}.",
        **settings.pop("temporal", {}),
    }
    made = Settings(project_dir=folder, temporal=temporal, **settings)
    async with App(made, agents=agents, tools=tools, probe=probe) as app:
        connected = await app.connect()
        async with running_workers(app, connected):
            yield WorkerEnv(app, connected, replayer(app))


__all__ = ["Handle", "WorkerEnv", "worker_env"]
