"""One trial: a run of an agent that is harmed at a point, and what is left at the end."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from interlock.app import database_url
from interlock.audit import EventFilter
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.audit.store import SqlAuditStore
from interlock.connection import data_folder
from interlock.settings import Settings
from interlock.testing.killing import calls_made
from interlock.testing.processes import Hosting, WorkerProcess
from tests.crash.points import Point, Struck
from tests.crash.reviewer import Choose, Reviewer
from tests.proofs import progress

_PATIENCE = timedelta(seconds=90)
_LAST_CHANCE_SECONDS = 5.0
"""How long the moment of a point may still come when the run is over."""
_AT_ONCE = 5
"""Trials that run at the same time: most of the time they wait for timeouts."""

_Result = TypeVar("_Result")


class Outcome(BaseModel):
    """What a run left."""

    point: str
    struck: bool
    """Whether the moment of the point came."""
    killed: bool
    """Whether a worker was killed at it."""
    result: dict[str, Any]
    requests: list[str]
    """Ids of the requests that the history tells of."""
    decisions: list[tuple[str, str]]
    """Kind of the request and verb of each decision."""
    ledger: list[tuple[str, str, str | None]]
    """Tool, state and consumed request of each effect."""
    audit: dict[str, int]
    """Number of audit events of each kind, name and outcome."""
    calls: dict[str, int]
    """How often the implementation of each tool was begun."""
    history: list[str]
    """Type of each of the run's events."""
    steps: int
    """Supersteps of its graph."""
    transcript: list[dict[str, Any]]
    """Messages of its final state."""
    seconds: float
    refunds: int = 0
    """Refunds that the payment service has."""


@dataclass(frozen=True)
class Trial:
    """A deployment in a folder of its own, for one run.

    `holds` is the folder of the payment service's hooks, if there is a payment service.
    """

    client: Client
    settings: Settings
    agent: str
    message: str | dict[str, Any]
    choose: Choose
    environment: Mapping[str, str] = field(default_factory=dict)
    holds: Path = Path()

    async def run(self, point: Point | None = None) -> Outcome:
        """Run the agent, do harm at `point`, and look what is left."""
        began = time.monotonic()
        hosting = Hosting(self.settings, self.environment, point.kill if point else None)
        async with workers(hosting) as start:
            worker = await start()
            handle = await self._start()
            reviewer = Reviewer(handle, self.choose)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(reviewer.work())
                striking = tasks.create_task(
                    _strike(point, Struck(worker, handle, self.holds), start)
                )
                result = await handle.result()
                await asyncio.wait({striking}, timeout=_LAST_CHANCE_SECONDS)
                striking.cancel()
            status, transcript = [await handle.query(name) for name in ("status", "transcript")]
        struck = not striking.cancelled() and striking.result()
        return Outcome(
            point=point.name if point else "none",
            struck=struck,
            killed=struck and point is not None and point.kills,
            result=result,
            requests=reviewer.announced,
            decisions=list(reviewer.sent.values()),
            calls=Counter(calls_made(data_folder(self.settings))),
            history=[event_name(event.event_type) async for event in handle.fetch_history_events()],
            steps=status["steps"],
            transcript=transcript,
            seconds=round(time.monotonic() - began, 1),
            **await self._books(handle.id),
        )

    async def _start(self) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            "AgentWorkflow",
            {"agent": self.agent, "input": self.message},
            id=f"crash-{uuid.uuid4().hex[:12]}",
            task_queue=f"{self.settings.temporal.queue_prefix}interlock",
            execution_timeout=_PATIENCE,
        )

    async def _books(self, workflow_id: str) -> dict[str, Any]:
        """Read the ledger and the audit store."""
        async with Database(database_url(self.settings)) as database:
            rows = await SqlLedger(database).rows(workflow_id=workflow_id)
            events = await SqlAuditStore(database).events(
                EventFilter(workflow_id=workflow_id, limit=1000)
            )
        names = [f"{event.kind} {event.name} {event.outcome}" for event in events]
        return {
            "ledger": [(row.tool, str(row.state), row.request_id) for row in rows],
            "audit": dict(sorted(Counter(names).items())),
        }


async def _strike(
    point: Point | None, run: Struck, start: Callable[[], Awaitable[WorkerProcess]]
) -> bool:
    """Do harm at a point and start the next worker if one was killed; say whether the moment came."""
    if point is None or not await point.strike(run):
        return False
    if point.kills:
        await start()
    return True


@asynccontextmanager
async def workers(
    hosting: Hosting,
) -> AsyncIterator[Callable[[], Awaitable[WorkerProcess]]]:
    """Give a way to start workers; kill those that are left at the end."""
    started: list[WorkerProcess] = []

    async def start() -> WorkerProcess:
        started.append(await WorkerProcess.start(hosting))
        await started[-1].ready()
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            await worker.kill()


def settings_in(
    folder: Path, client: Client, *, agents: Sequence[str] = (), **more: Any
) -> Settings:
    """Return the settings of a deployment in `folder` that plays its `script.json`."""
    role = {"candidates": [{"model": "scripted:script.json"}]}
    temporal = {
        "address": client.service_client.config.target_host,
        "queue_prefix": f"{uuid.uuid4().hex[:8]}.",
    }
    return Settings(
        project_dir=folder,
        agents=list(agents),
        models={"fast": role, "strong": role},
        memory={"embedder": "hashing"},
        temporal=temporal,
        **more,
    )


def scripted(project: Path, script: dict[str, Any]) -> None:
    """Make a project folder in which the models play a script."""
    project.mkdir()
    (project / "script.json").write_text(json.dumps(script), encoding="utf-8")


def copied(template: Path, folder: Path) -> Path:
    """Copy a project folder for a trial of its own."""
    shutil.copytree(template, folder)
    return folder


async def run_all(
    points: Sequence[Point], run: Callable[[Point], Awaitable[_Result]]
) -> list[_Result]:
    """Make a trial of each point, a few at a time, and return the outcomes in order.

    Raises:
        ExceptionGroup: some trials did not come to an end; each error says which.
    """
    turns, ended = asyncio.Semaphore(_AT_ONCE), count(1)

    async def one(point: Point) -> _Result:
        async with turns:
            try:
                return await run(point)
            except Exception as error:
                error.add_note(f"in the trial of {point.name}")
                raise
            finally:
                progress(f"{point.name}: {next(ended)} of {len(points)} trials")

    tried = await asyncio.gather(*map(one, points), return_exceptions=True)
    failures = [item for item in tried if isinstance(item, Exception)]
    if failures:
        raise ExceptionGroup("trials that did not come to an end", failures)
    return [item for item in tried if not isinstance(item, BaseException)]


def event_name(event_type: EventType.ValueType) -> str:
    """Return 'ACTIVITY_TASK_STARTED' for a type of event."""
    return EventType.Name(event_type).removeprefix("EVENT_TYPE_")
