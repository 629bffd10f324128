"""The whole shop for these tests: CRM, payment service, documents, and a deployment of both agents."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from agents.assistant import assistant
from agents.support.graph import support
from interlock.agents import Agent
from interlock.memory import KnowledgeReport
from interlock.models.files import pull
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.payments import PaymentService, running
from tools.knowledge import knowledge_search
from tools.service.seed import seed

ROOT = Path(__file__).parents[4]
_TODAY = date(2026, 3, 2)
_PATIENCE = timedelta(seconds=120)
PAGES = "pages"
"""Folder of documents in the deployment's folder."""
_COPIED = (
    "address-change-after-dispatch",
    "address-change-before-dispatch",
    "back-orders",
    "damaged-on-arrival",
    "gift-cards",
    "refund-approval",
    "refund-policy",
    "replacement-orders",
    "shipping-times",
    "tracking",
)
"""Documents that these tests need: to embed all of them takes ten seconds."""


@dataclass(frozen=True)
class Shop:
    """A running deployment on real parts."""

    env: WorkerEnv
    payments: PaymentService
    folder: Path

    async def case(self, message: str, subject: str = "") -> Handle:
        """Start a support case."""
        return await self._start("SupportCase", {"message": message, "subject": subject})

    async def run(self, agent: str, message: str) -> Handle:
        """Start a run of an agent that may take long."""
        return await self._start("AgentWorkflow", {"agent": agent, "input": message})

    async def _start(self, workflow: str, request: dict[str, Any]) -> Handle:
        return await self.env.client.start_workflow(
            workflow,
            request,
            id=f"{workflow}-{uuid.uuid4().hex[:12]}",
            task_queue=self.env.task_queue,
            execution_timeout=_PATIENCE,
        )

    async def refresh(self) -> KnowledgeReport:
        """Let the workflow bring the documents up to date."""
        handle = await self._start("KnowledgeRefresh", {"folders": [PAGES]})
        return KnowledgeReport.model_validate(await handle.result())

    async def idle(self, handle: Handle) -> None:
        """Wait until a conversation waits for a message."""
        async for event in handle.fetch_history_events(wait_new_event=True):
            if not event.HasField("upsert_workflow_search_attributes_event_attributes"):
                continue
            if (await self.env.status(handle)).state == "idle":
                return
        raise AssertionError(f"conversation {handle.id!r} ended")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the CRM."""
        with closing(sqlite3.connect(self.folder / "crm.db")) as connection:
            return connection.execute(query).fetchall()


@asynccontextmanager
async def open_shop(
    server: Client, folder: Path, *, agents: Sequence[Agent] = (support, assistant), **settings: Any
) -> AsyncIterator[Shop]:
    """Open a shop in an empty folder; its memory holds the examples, and no documents yet."""
    pull(("default",))
    (folder / PAGES).mkdir()
    for name in _COPIED:
        shutil.copy(ROOT / "memory" / "knowledge" / f"{name}.md", folder / PAGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_CRM_URL", f"sqlite+aiosqlite:///{folder / 'crm.db'}")
        await seed(_TODAY)
        async with (
            running(folder / "payments.db") as payments,
            worker_env(
                server,
                folder,
                agents=agents,
                tools=[knowledge_search],
                workflows=[
                    "workflows.support_case:SupportCase",
                    "workflows.knowledge_refresh:KnowledgeRefresh",
                ],
                knowledge=[PAGES],
                seeds=["memory.intents:SEEDS"],
                memory={"embedder": "minilm-int8"},
                **settings,
            ) as env,
        ):
            patch.setenv("SHOP_PAYMENTS_URL", payments.url)
            await env.app.seed("default")
            yield Shop(env, payments, folder)
