"""A shop whose model plays a script."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.integration.application.copilot.script import SCRIPT
from tests.integration.application.copilot.shop import Shop, open_shop


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shop(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop with documents, whose models play the script."""
    async with open_shop(server, tmp_path_factory.mktemp("shop"), script=SCRIPT) as opened:
        await opened.refresh()
        yield opened
