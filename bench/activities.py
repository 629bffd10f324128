"""The activities of the raw workflow: the same fake calls as the graph's nodes make."""

from __future__ import annotations

from temporalio import activity

from bench.graph import FAKE, book, prompt
from bench.raw import Step


@activity.defn
async def think(step: Step) -> str:
    """Ask the fake model."""
    return (await FAKE.ainvoke(prompt(step.topic, step.number))).text


@activity.defn
async def act(step: Step) -> str:
    """Call the fake tool."""
    return book(step.topic, step.number)
