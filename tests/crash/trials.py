"""One trial: a run of an agent whose worker is killed at a point, and what is left at the end."""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

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
from tests.crash.points import Point
from tests.crash.reviewer import Choose, Reviewer

_PATIENCE = timedelta(seconds=90)
AT_ONCE = 3
"""Trials that run at the same time: they wait for timeouts most of the time."""


class Outcome(BaseModel):
    """What one run left."""

    point: str
    killed: bool
    """Whether the worker was killed while the run was open."""
    result: dict[str, Any]
    requests: list[str]
    """Ids of the requests that the history tells of."""
    decisions: list[tuple[str, str]]
    """Kind of request and verb, in order."""
    ledger: list[tuple[str, str, bool]]
    """Tool, state and whether a decision was consumed, of each effect."""
    audit: dict[str, int]
    """Number of audit events of each kind, name and outcome."""
    calls: dict[str, int]
    """How often the implementation of each tool was called."""
    history: list[str]
    """Types of the run's events."""
    seconds: float


class Stage:
    """Where trials run: a server, and a project folder that each trial gets a copy of.

    Args:
        client: A client of the server.
        template: Project folder with everything that a deployment has before its first run.
        agent: The agent's name, and its 'module:attribute'.
        message: The run's input.
    """

    def __init__(
        self,
        client: Client,
        template: Path,
        *,
        agent: tuple[str, str],
        message: str | dict[str, Any],
    ) -> None:
        self.client = client
        self.agent, self._reference = agent
        self.message = message
        self._template = template

    def copy(self, folder: Path) -> Settings:
        """Copy the template to `folder` and return the settings of a deployment there."""
        shutil.copytree(self._template, folder)
        return settings_in(folder, self._reference, self.client)

    async def run(
        self,
        settings: Settings,
        point: Point | None,
        choose: Choose,
        environment: Mapping[str, str],
        holds: Path,
    ) -> Outcome:
        """Run the agent in its folder, with the worker killed at `point`, and look what is left."""
        began = time.monotonic()
        hosting = Hosting(settings, environment, point.kill if point else None)
        worker = await WorkerProcess.start(hosting)
        survivor = asyncio.create_task(self._none_killed(worker))
        try:
            await worker.ready()
            handle = await self._start(settings)
            survivor.cancel()
            survivor = asyncio.create_task(self._strike(worker, handle, hosting, point, holds))
            reviewer = Reviewer(handle, choose)
            reviewing = asyncio.create_task(reviewer.work())
            result = await handle.result()
            await reviewing
            killed = survivor.done()
        finally:
            survivor.cancel()
            await asyncio.wait([survivor])
            await worker.kill()
            if not survivor.cancelled() and survivor.exception() is None:
                await survivor.result().kill()
        seconds = round(time.monotonic() - began, 2)
        return await _look(handle, settings, point, killed, result, reviewer, seconds)
