"""A seeded CRM and a real payment service, each in the test's own folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from pathlib import Path

import pytest

from interlock.context import CallContext
from interlock.tools.contract import ToolCall
from tests.payments import PaymentService, appears, running
from tools.service.seed import seed

TODAY = date(2026, 3, 2)
Start = Callable[..., AbstractAsyncContextManager[PaymentService]]


@pytest.fixture
def start_payments() -> Start:
    """Start services as a test needs them: `running`."""
    return running


@pytest.fixture
def file_appears() -> Callable[[Path], Awaitable[None]]:
    """Wait for a file that another process writes: `appears`."""
    return appears


@pytest.fixture
async def payments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PaymentService]:
    """A payment service that the refund tool finds."""
    async with running(tmp_path / "payments.db") as service:
        monkeypatch.setenv("SHOP_PAYMENTS_URL", service.url)
        yield service


@pytest.fixture
async def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A freshly seeded CRM that the tools find; the path of its database."""
    path = tmp_path / "shop" / "crm.db"
    monkeypatch.setenv("SHOP_CRM_URL", f"sqlite+aiosqlite:///{path}")
    await seed(TODAY)
    return path


@pytest.fixture
def call() -> Callable[[str], ToolCall]:
    """Make the call that an implementation gets, from its effect key."""
    return lambda key: ToolCall(
        call_id=f"call-{key}",
        tool="any",
        arguments={},
        effect_key=key,
        context=CallContext(agent="test"),
    )
