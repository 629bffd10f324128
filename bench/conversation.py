"""How much history one model call of a conversation costs, as the conversation grows."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from temporalio.client import Client
from temporalio.converter import DataConverter

from bench.approving import Handle
from bench.deployment import TALKER
from interlock.agents import Agent
from interlock.payloads import put_back
from interlock.testing import worker_env

MESSAGE_BYTES = 2048
"""Length of each message, a person's or the model's."""
WINDOW = 10
"""Turns that a figure is the mean of: those that end with the turn it is named after."""

_ANSWER = ("The parcel is on its way. " * MESSAGE_BYTES)[:MESSAGE_BYTES]
_SCRIPT = {"conversations": {"any": {"pick": "match", "steps": [{"answer": {"text": _ANSWER}}]}}}

TURN_EVENTS = 3000
"""Events after which the conversation continues as new here: well away from the turns measured."""


class Turn(NamedTuple):
    """What one turn added to the history: a message of a person, one model call, and all around them."""

    size: int
    """Bytes of its events."""
    carried: int
    """Bytes that a new run began with in this turn; 0 when the run went on."""


async def bytes_per_model_call(
    client: Client, folder: Path, turns: Sequence[int], talker: Agent = TALKER
) -> dict[int, float]:
    """Hold a conversation and return the bytes of history of one turn, by turn.

    Args:
        client: A client of the server.
        folder: An empty folder for the deployment.
        turns: The turns to look at, in order, the first at least `WINDOW`.
        talker: The agent to talk to.
    """
    held = await hold_conversation(client, folder, talker, turns[-1])
    sizes = [turn.size for turn in held]
    return {turn: round(mean(sizes[turn - WINDOW : turn]), 1) for turn in turns}


async def hold_conversation(
    client: Client,
    folder: Path,
    talker: Agent,
    turns: int,
    *,
    history_events: int = TURN_EVENTS,
    after: int = 0,
) -> list[Turn]:
    """Hold a conversation and return what each turn cost.

    Args:
        client: A client of the server.
        folder: An empty folder for the deployment.
        talker: The agent to talk to.
        turns: How many turns.
        history_events: Events after which the conversation continues as new.
        after: Turns that the conversation begins with, as if they had been held before.
    """
    async with worker_env(
        client,
        folder,
        agents=[talker],
        script=_SCRIPT,
        temporal={"history_events": history_events},
    ) as env:
        handle = await env.client.start_workflow(
            "AgentWorkflow",
            {"agent": talker.name, "input": _beginning(after), "conversation": True},
            id=f"talk-{uuid.uuid4().hex}",
            task_queue=env.task_queue,
        )
        held: list[Turn] = []
        async with aclosing(_turns(handle, env.client.data_converter)) as following:
            async for turn in following:
                held.append(turn)
                if len(held) == turns:
                    break
                await handle.execute_update("submit_message", _message(after + len(held) + 1))
        await handle.signal("cancel_run", "enough was said")
        await handle.result()
    return held


def _beginning(after: int) -> dict[str, Any]:
    """Return the input of a conversation: the turns before, and the next message."""
    messages = []
    for turn in range(1, after + 1):
        messages += [("user", _message(turn)), ("assistant", _ANSWER)]
    messages.append(("user", _message(after + 1)))
    return {"messages": [{"role": role, "content": text} for role, text in messages]}


def _message(turn: int) -> str:
    return (f"Turn {turn}: where is my parcel? " * MESSAGE_BYTES)[:MESSAGE_BYTES]


async def _turns(handle: Handle, converter: DataConverter) -> AsyncGenerator[Turn, None]:
    """Yield each turn when it is over, over all runs of the conversation's chain."""
    size = carried = runs = 0
    while True:
        async for event in handle.fetch_history_events(wait_new_event=True):
            size += event.ByteSize()
            if event.HasField("workflow_execution_started_event_attributes"):
                runs += 1
                await put_back(event, converter)
                carried = event.ByteSize() if runs > 1 else 0
            if event.HasField("timer_started_event_attributes"):  # it waits for the next message
                yield Turn(size, carried)
                size = carried = 0
