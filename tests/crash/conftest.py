"""A place to try refunds in."""

from __future__ import annotations

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.crash.refunds import RefundStage, make_template


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(server: Client, tmp_path_factory: pytest.TempPathFactory) -> RefundStage:
    """A filled project folder, and a folder for the trials' copies of it."""
    folder = tmp_path_factory.mktemp("refunds")
    await make_template(folder / "template", server)
    return RefundStage(server, folder / "template", folder)
