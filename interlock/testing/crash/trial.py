"""One trial: a run of an agent that is harmed at a point, and what is left at the end."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from interlock.app import database_url
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.connection import data_folder
from interlock.settings import Settings
from interlock.testing.crash.books import read_books
from interlock.testing.crash.outcome import Outcome
from interlock.testing.crash.points import Point, Struck
from interlock.testing.crash.reviewer import Choose, Reviewer
from interlock.testing.crash.servers import Restartable
from interlock.testing.following import is_away
from interlock.testing.killing import HoldInCall, calls_made, reached
from interlock.testing.processes import Hosting, WorkerProcess

_LAST_CHANCE_SECONDS = 5.0
"""How long the moment of a point may still come when the run is over."""
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Trial:
    """A deployment in a folder of its own, for one run."""

    client: Client
    settings: Settings
    agent: str
    message: str | dict[str, Any]
    choose: Choose
    """Decides on what the run asks."""
    environment: Mapping[str, str] = field(default_factory=dict)
    setup: str | None = None
    """See `Hosting.setup`."""
    patience_seconds: float = 90.0
    temporal: Restartable | None = None
    chroma: Restartable | None = None

    async def run(self, point: Point | None = None) -> Outcome:
        """Run the agent, do harm at `point`, and look what is left.

        Nobody has looked at the third parties yet: `Outcome.effects` is empty.

        Raises:
            TimeoutError: the run did not end in time.
        """
        kill = point.kill if point else None
        hosting = Hosting(self.settings, self.environment, kill, self.setup)
        async with workers(hosting) as start:
            worker = await start()  # the first of a process imports everything
            async with asyncio.timeout(self.patience_seconds):
                return await self._run(point, worker, start)

    async def _run(
        self,
        point: Point | None,
        worker: WorkerProcess,
        start: Callable[[], Awaitable[WorkerProcess]],
    ) -> Outcome:
        began = time.monotonic()
        handle = await self._start()
        reviewer = Reviewer(handle, self.choose)
        struck = Struck(
            worker,
            handle,
            data_folder(self.settings),
            start,
            lambda: self._ledger(handle.id),
            self.temporal,
            self.chroma,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reviewer.work())
            striking = tasks.create_task(_strike(point, struck))
            result = await _end_of(handle)
            await asyncio.wait({striking}, timeout=self._last_chance(point))
            striking.cancel()
        queries = [await _query(handle, name) for name in ("status", "transcript")]
        came = not striking.cancelled() and striking.result()
        return Outcome(
            point=point.name if point else "undisturbed",
            workflow_id=handle.id,
            struck=came,
            killed=came and point is not None and point.kills,
            late=struck.late,
            result=result,
            requests=reviewer.announced,
            asked=list(reviewer.asked.values()),
            decisions=list(reviewer.sent.values()),
            refused_decisions=reviewer.refused,
            undecided=reviewer.undecided,
            calls=Counter(calls_made(data_folder(self.settings))),
            places=[(place.tool, place.point) for place in reached(data_folder(self.settings))],
            history=[event_name(event.event_type) async for event in handle.fetch_history_events()],
            steps=queries[0]["steps"],
            transcript=queries[1],
            seconds=round(time.monotonic() - began, 1),
            **await read_books(self.settings, handle.id),
        )

    def _last_chance(self, point: Point | None) -> float:
        late = point is not None and isinstance(point.kill, HoldInCall)
        return self.patience_seconds if late else _LAST_CHANCE_SECONDS

    async def _start(self) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            "AgentWorkflow",
            {"agent": self.agent, "input": self.message},
            id=f"crash-{uuid.uuid4().hex[:12]}",
            task_queue=f"{self.settings.temporal.queue_prefix}interlock",
            execution_timeout=timedelta(seconds=self.patience_seconds),
        )

    async def _ledger(self, workflow_id: str) -> list[Any]:
        async with Database(database_url(self.settings)) as database:
            rows = await SqlLedger(database).rows(workflow_id=workflow_id, limit=1000)
        return [row.model_dump(mode="json") for row in rows]


async def _strike(point: Point | None, run: Struck) -> bool:
    return point is not None and await point.strike(run)


async def _end_of(handle: WorkflowHandle[Any, Any]) -> dict[str, Any]:
    """Return a run's result, or `failed` with why it has none."""
    while True:
        try:
            found: dict[str, Any] = await handle.result()
        except WorkflowFailureError as error:
            return {
                "status": "failed",
                "error": f"{getattr(error.cause, 'type', '')}: {error.cause}",
            }
        except RPCError as error:
            if not is_away(error):
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return found


async def _query(handle: WorkflowHandle[Any, Any], name: str) -> Any:
    """Ask a run that is over; a server that was restarted may need another moment for it."""
    while True:
        try:
            return await handle.query(name)
        except RPCError as error:
            if not is_away(error):
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


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


def event_name(event_type: EventType.ValueType) -> str:
    """Return 'ACTIVITY_TASK_STARTED' for a type of event."""
    return EventType.Name(event_type).removeprefix("EVENT_TYPE_")


__all__ = ["Trial", "event_name", "workers"]
