"""The models room's activity: one attempt at one model call."""

from __future__ import annotations

from temporalio import activity

from interlock.heartbeats import heartbeats
from interlock.models.contract import ModelAnswer, ModelCall
from interlock.models.gateway import ModelGateway


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
        async with heartbeats():
            return await self._gateway.answer(call)
