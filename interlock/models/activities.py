"""The models room's activity: one attempt at one model call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

from interlock.models.contract import ModelAnswer, ModelCall
from interlock.models.gateway import ModelGateway

_HEARTBEAT_SECONDS = 1.0


class ModelActivities:
    """Activities on one gateway."""

    def __init__(self, gateway: ModelGateway) -> None:
        self._gateway = gateway

    @activity.defn(name="model.call")
    async def call_model(self, call: ModelCall) -> ModelAnswer:
        """Answer a model call; a cancelled activity cancels the request to the provider.

        Raises:
            InterlockError: see `ModelGateway.answer`.
        """
        async with _heartbeats():
            return await self._gateway.answer(call)


@asynccontextmanager
async def _heartbeats() -> AsyncIterator[None]:
    """Tell the server every second that this attempt lives; a cancellation comes back that way."""
    beating = asyncio.ensure_future(_beat())
    try:
        yield
    finally:
        beating.cancel()


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(_HEARTBEAT_SECONDS)
