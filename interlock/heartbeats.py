"""Heartbeats of an activity, so that a lost worker is noticed and a cancellation arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio import activity

INTERVAL_SECONDS = 1.0


@asynccontextmanager
async def heartbeats(*details: Any) -> AsyncIterator[None]:
    """Tell the server every second that this attempt lives; a local activity has nobody to tell.

    Args:
        details: What the next attempt finds in its `heartbeat_details`.
    """
    if activity.info().is_local:
        yield
        return
    beating = asyncio.ensure_future(_beat(details))
    try:
        yield
    finally:
        beating.cancel()


async def _beat(details: tuple[Any, ...]) -> None:
    while True:
        activity.heartbeat(*details)
        await asyncio.sleep(INTERVAL_SECONDS)
