"""A deployment of Interlock that works with a third party: server, workers, and the third party."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from bench.approving import Handle
from bench.processes import (
    ThirdParty,
    WorkerProcess,
    server_process,
    third_party_process,
    worker_process,
)
from interlock.server import Server
from interlock.workflows.calls import WORKFLOW_QUEUE

_PATIENCE = timedelta(minutes=30)
"""A measurement whose runs stand still fails after it."""


@dataclass(frozen=True)
class Stage:
    """Where the couriers' runs are made."""

    server: Server
    server_at: psutil.Process
    third_party: ThirdParty
    folder: Path

    def worker(
        self, name: str = "worker", *, here: bool = False
    ) -> AbstractAsyncContextManager[WorkerProcess]:
        """Run a worker until the context ends; all of them share the audit database.

        Args:
            name: Its folder.
            here: In this process.
        """
        home = self.folder / name
        home.mkdir(exist_ok=True)
        model = {"model": "openai:fake", "base_url": f"{self.third_party.url}/v1"}
        return worker_process(
            "interlock",
            self.server.address,
            home,
            settings={
                "agents": ["bench.couriers:AGENTS"],
                "models": {"fast": {"candidates": [model]}},
                "audit": {"url": f"sqlite+aiosqlite:///{self.folder / 'audit.db'}"},
            },
            here=here,
        )

    async def start(self, agent: str, key: str, **more: Any) -> Handle:
        """Start a run of one of the couriers."""
        return await self.server.client.start_workflow(
            "AgentWorkflow",
            {"agent": agent, "input": {"url": self.third_party.address(key), **more}},
            id=f"{agent}-{uuid.uuid4().hex}",
            task_queue=WORKFLOW_QUEUE,
            execution_timeout=_PATIENCE,
        )


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Set a stage without workers. The server keeps its state in a file, as `interlock up` does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            server_process(folder / "temporal.db") as (server, server_at),
            third_party_process() as third_party,
        ):
            yield Stage(server, server_at, third_party, folder)
