"""The bench of the gateway's tests."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from interlock.audit.breakers import SqlBreakers
from interlock.audit.database import Database
from tests.integration.tools.bench import Bench, TellingLedger


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on a ledger in a new SQLite file."""
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/ledger.db") as database:
        yield Bench(TellingLedger(database), SqlBreakers(database))


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Give an event that threads of tools wait for; the end of the test sets it."""
    event = threading.Event()
    yield event
    event.set()
