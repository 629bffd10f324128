"""An agent whose tools are throttled in every way; calls are written down where they are made."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from langgraph.graph import START, StateGraph
from temporalio import activity
from temporalio.common import Priority
from typing_extensions import TypedDict

from interlock.agents import Agent, agent
from interlock.tools import Effect, Throttle, tool

STARTED: dict[str, list[float]] = {}
"""When calls of a run began, by the run's name."""
RUNNING: dict[str, list[int]] = {}
"""How many calls of `few` ran whenever one began."""
PRIORITY: dict[str, Priority] = {}
"""Priority of the last call of `free`, by the run's name."""
_NOW = {"few": 0}


class Busy(TypedDict):
    name: str
    tool: str
    count: int
    answers: list[int]


def begun(name: str) -> None:
    """Write down that a call begins."""
    STARTED.setdefault(name, []).append(time.monotonic())


@tool(effect=Effect.READ, throttle=Throttle(rate="5/s", burst=1, scope="tenant"))
async def by_tenant(name: str, number: int) -> int:
    """Five a second for each tenant."""
    begun(name)
    return number


@tool(effect=Effect.EXTERNAL, throttle=Throttle(rate="120/h", burst=2, scope="subject"))
async def rare(name: str, number: int) -> int:
    """Two at once, and then one in half a minute, for each subject."""
    begun(name)
    return number


@tool(effect=Effect.READ, attempts=3, throttle=Throttle(rate="5/s", burst=1, scope="tenant"))
async def flaky(name: str, number: int) -> int:
    """Fail twice."""
    begun(name)
    if len(STARTED[name]) < 3:
        raise ConnectionError("not yet")
    return number


@tool(effect=Effect.READ, concurrency=2)
async def few(name: str, number: int) -> int:
    """Two at once."""
    _NOW["few"] += 1
    RUNNING.setdefault(name, []).append(_NOW["few"])
    try:
        await asyncio.sleep(0.05)  # work that takes a moment, so that calls would overlap
    finally:
        _NOW["few"] -= 1
    return number


@tool(effect=Effect.READ)
async def free(name: str, number: int) -> int:
    """As often as one likes."""
    PRIORITY[name] = activity.info().priority
    return number


HOLD: dict[str, asyncio.Event] = {}
"""What calls of `held` wait for, by the run's name."""


@tool(effect=Effect.READ, concurrency=1)
async def held(name: str, number: int) -> int:
    """One at a time, for as long as the test likes."""
    begun(name)
    await HOLD[name].wait()
    return number


@tool(effect=Effect.READ, throttle="30/min")
async def queued(name: str, number: int) -> int:
    """One in two seconds, kept by the server."""
    begun(name)
    return number


TOOLS = {item.name: item for item in (by_tenant, rare, flaky, few, held, queued, free)}


async def call_all(state: Busy) -> dict[str, Any]:
    """Call a tool as often as it is told, all at once."""
    chosen = TOOLS[state["tool"]]
    calls = [
        chosen.ainvoke({"name": state["name"], "number": number})
        for number in range(state["count"])
    ]
    return {"answers": await asyncio.gather(*calls)}


def busy() -> Agent:
    """Return an agent that calls a throttled tool."""
    graph: StateGraph[Busy, None, Busy, Busy] = StateGraph(Busy)
    graph.add_node("call_all", call_all)
    graph.add_edge(START, "call_all")
    return agent("busy", graph, tools=list(TOOLS.values()))
