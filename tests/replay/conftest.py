"""A running deployment of the recorded agents."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from interlock.testing import WorkerEnv, worker_env
from tests.replay.deployment import SCRIPT, agents


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """The agents of `tests.replay.deployment` on real parts; runs continue as new after 50 events."""
    async with worker_env(
        server,
        tmp_path_factory.mktemp("replay"),
        agents=agents(),
        script=SCRIPT,
        temporal={"history_events": 50},
    ) as running:
        yield running
