"""A seeded CRM and a real payment service, each in the test's own folder."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from pathlib import Path

import httpx
import pytest

from interlock.context import CallContext
from interlock.tools.contract import ToolCall
from tools.service.seed import seed

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 3, 2)
_PATIENCE = 20.0


class PaymentService:
    """A running payment service."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(_PATIENCE):
            return await self.process.wait()

    def client(self) -> httpx.AsyncClient:
        """Return a client for its address."""
        return httpx.AsyncClient(base_url=self.url, timeout=_PATIENCE)


@asynccontextmanager
async def running(database: Path, hold_dir: Path | None = None) -> AsyncIterator[PaymentService]:
    """Start the service as its users do and wait for the ready line."""
    options = ["--port", "0", "--database", str(database)]
    if hold_dir is not None:
        options += ["--hold-dir", str(hold_dir)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tools.payment_service",
        *options,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("ready http://127.0.0.1:"), line
        yield PaymentService(process, line.split()[1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def appears(path: Path) -> None:
    """Wait for a file that another process writes."""
    async with asyncio.timeout(_PATIENCE):
        while not path.exists():  # noqa: ASYNC110, ASYNC240 - there is no event between processes
            await asyncio.sleep(0.01)


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
