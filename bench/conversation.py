"""How much history one model call of a conversation costs, as the conversation grows."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from statistics import mean

from temporalio.client import Client

from bench.deployment import TALKER
from bench.systems import Handle
from interlock.testing import worker_env

MESSAGE_BYTES = 2048
"""Length of each message, a person's or the model's."""
WINDOW = 10
"""Turns that a figure is the mean of: those that end with the turn it is named after."""

_ANSWER = ("The parcel is on its way. " * MESSAGE_BYTES)[:MESSAGE_BYTES]
_SCRIPT = {"conversations": {"any": {"pick": "match", "steps": [{"answer": {"text": _ANSWER}}]}}}

_EVENTS = 3000
"""Events after which the conversation continues as new here: well away from the turns measured."""


async def bytes_per_model_call(
    client: Client, folder: Path, turns: Sequence[int]
) -> dict[int, float]:
    """Hold a conversation and return the bytes of history of one turn, by turn.

    A turn is a message of a person, one model call, and all that the run records around them.

    Args:
        client: A client of the server.
        folder: An empty folder for the deployment.
        turns: The turns to look at, in order, the first at least `WINDOW`.
    """
    async with worker_env(
        client, folder, agents=[TALKER], script=_SCRIPT, temporal={"history_events": _EVENTS}
    ) as env:
        handle = await env.client.start_workflow(
            "AgentWorkflow",
            {"agent": TALKER.name, "input": _message(1), "conversation": True},
            id=f"talk-{uuid.uuid4().hex}",
            task_queue=env.task_queue,
        )
        sizes: list[int] = []
        async with aclosing(_turn_sizes(handle)) as turn_sizes:
            async for size in turn_sizes:
                sizes.append(size)
                if len(sizes) == turns[-1]:
                    break
                await handle.execute_update("submit_message", _message(len(sizes) + 1))
        await handle.signal("cancel_run", "enough was said")
        await handle.result()
    return {turn: round(mean(sizes[turn - WINDOW : turn]), 1) for turn in turns}


def _message(turn: int) -> str:
    return (f"Turn {turn}: where is my parcel? " * MESSAGE_BYTES)[:MESSAGE_BYTES]


async def _turn_sizes(handle: Handle) -> AsyncGenerator[int, None]:
    """Yield the bytes of each turn when it is over, over all runs of the conversation's chain."""
    size = 0
    while True:
        async for event in handle.fetch_history_events(wait_new_event=True):
            size += event.ByteSize()
            if event.HasField("timer_started_event_attributes"):  # it waits for the next message
                yield size
                size = 0
