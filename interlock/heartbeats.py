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

    Most attempts are over within the first second: one without details costs no heartbeat at all.

    Args:
        details: What the next attempt finds in its `heartbeat_details`, unless all are 0 or empty.
    """
    if activity.info().is_local:
        yield
        return
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def beat() -> None:
        nonlocal timer
        activity.heartbeat(*details)
        timer = loop.call_later(INTERVAL_SECONDS, beat)

    timer = loop.call_later(INTERVAL_SECONDS, beat)
    if any(details):
        activity.heartbeat(*details)
    try:
        yield
    finally:
        timer.cancel()
