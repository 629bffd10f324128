"""How much history one model call of a conversation costs, as the conversation grows."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from statistics import mean

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.deployment import TALKER
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
    sizes: list[int] = []
    async with worker_env(
        client, folder, agents=[TALKER], script=_SCRIPT, temporal={"history_events": _EVENTS}
    ) as env:
        handle = await env.start("talker", _message(1), conversation=True)
        ...
    return {turn: round(mean(sizes[turn - WINDOW : turn]), 1) for turn in turns}
