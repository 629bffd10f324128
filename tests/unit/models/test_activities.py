"""The activity of a model call: heartbeats while it waits, and cancellation reaches the model."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.testing import ActivityEnvironment

from interlock import heartbeats
from interlock.context import CallContext
from interlock.models.activities import ModelActivities
from interlock.models.contract import ModelAnswer, ModelCall

CALL = ModelCall(call_id="m1", role="fast", messages=(), context=CallContext(agent="test"))
ANSWER = ModelAnswer(message={}, ref="r", model="scripted:x")


class Gateway:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.cancelled = False

    async def answer(self, call: ModelCall) -> ModelAnswer:
        """Wait, then answer."""
        assert call == CALL
        self.asked.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return ANSWER


async def test_it_heartbeats_while_the_model_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server hears of the attempt before the answer is there, and no more after it."""
    monkeypatch.setattr(heartbeats, "INTERVAL_SECONDS", 0.01)
    gateway, beats = Gateway(), asyncio.Event()
    env = ActivityEnvironment()
    env.on_heartbeat = lambda *_: beats.set()
    running = asyncio.ensure_future(env.run(ModelActivities(gateway).call_model, CALL))
    await asyncio.wait_for(beats.wait(), 5)
    assert not running.done()
    gateway.go.set()
    assert await running == ANSWER


async def test_cancelling_the_activity_cancels_the_request() -> None:
    """A cancelled run does not wait for, nor pay for, an answer that nobody reads."""
    gateway = Gateway()
    env = ActivityEnvironment()
    running = asyncio.ensure_future(env.run(ModelActivities(gateway).call_model, CALL))
    await gateway.asked.wait()
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gateway.cancelled
