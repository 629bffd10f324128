"""Deployments for the workflow tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from interlock.testing import WorkerEnv, worker_env
from tests.graphs import everything, shopper

SCRIPT = {
    "conversations": {
        "everything": {
            "when": "buy these",
            "steps": [{"answer": {"text": "start"}}, {"answer": {"text": "I would buy."}}],
        },
        "pay once": {
            "when": "pay once",
            "steps": [
                {
                    "answer": {
                        "tool_calls": [
                            {"name": "price_of", "args": {"article": "lamp"}, "id": "c0"},
                            {"name": "pay", "args": {"account": "once", "amount": 7}, "id": "c1"},
                        ]
                    }
                },
                {"expect": {"role": "tool"}, "answer": {"text": "Done."}},
            ],
        },
    }
}
"""What the scripted model says in these tests."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment with agents (a) and (b)."""
    folder = tmp_path_factory.mktemp("env")
    async with worker_env(
        server, folder, agents=[everything(), shopper()], script=SCRIPT
    ) as running:
        yield running
