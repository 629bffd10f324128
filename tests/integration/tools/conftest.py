"""The bench of the gateway's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from tests.integration.tools.bench import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on a ledger in a new SQLite file."""
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/ledger.db") as database:
        yield Bench(SqlLedger(database))
