"""Heartbeats of an activity, so that a lost worker is noticed and a cancellation arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

INTERVAL_SECONDS = 1.0


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Tell the server every second that this attempt lives; a local activity has nobody to tell."""
    if activity.info().is_local:
        yield
        return
    beating = asyncio.ensure_future(_beat())
    try:
        yield
    finally:
        beating.cancel()


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(INTERVAL_SECONDS)
