"""The payment service as a process of its own, for the tests of several rooms."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
_PATIENCE = 30.0


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

    async def refunds(self, **query: str) -> list[dict[str, Any]]:
        """Return the refunds that were made, by `reference` or `order_id` when given."""
        async with self.client() as client:
            answer = await client.get("/refunds", params=query)
        found: list[dict[str, Any]] = answer.json()["refunds"]
        return found


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


async def passes(moment: datetime) -> None:
    """Wait until a time of the clock is over."""
    await asyncio.sleep((moment - datetime.now(UTC)).total_seconds() + 0.01)
    assert datetime.now(UTC) > moment


async def appears(path: Path) -> None:
    """Wait for a file that another process writes."""
    async with asyncio.timeout(_PATIENCE):
        while not path.exists():  # noqa: ASYNC110, ASYNC240 - there is no event between processes
            await asyncio.sleep(0.01)
