"""Deployments for the workflow tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from interlock.testing import WorkerEnv, worker_env
from tests.graphs import SAID, everything, shopper


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment with agents (a) and (b)."""
    folder = tmp_path_factory.mktemp("env")
    async with worker_env(
        server, folder, agents=[everything(), shopper()], script={"conversations": SAID}
    ) as running:
        yield running
