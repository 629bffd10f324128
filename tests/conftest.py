"""Shared parts of the suite: one Temporal server for each test process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from hypothesis import settings
from temporalio.client import Client

from interlock.server import running_server

settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Client]:
    """A client of a real Temporal server that lives as long as the test process."""
    async with running_server() as running:
        yield running.client
