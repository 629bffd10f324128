"""An agent as worker processes host it: its one node calls a limited tool many times at once."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from interlock.agents import agent
from interlock.tools import Effect, Throttle, tool

RECORD = "PACES_RECORD"
"""Environment variable with the file that calls are written down in."""
PER_SECOND = 10
CROWDED_PER_SECOND = 5
RARE_SECONDS = 4
"""Time between two calls of a tool that is rarely let go."""


def _begun(name: str) -> None:
    line = f"{time.monotonic()} {os.getpid()} {name}\n"
    with Path(os.environ[RECORD]).open("a", encoding="utf-8") as record:
        record.write(line)


@tool(effect=Effect.READ, throttle=f"{PER_SECOND}/s")
def by_queue(name: str, number: int) -> int:
    """Keep a rate that the server keeps."""
    _begun(name)
    return number


@tool(effect=Effect.READ, throttle=Throttle(rate=f"{PER_SECOND}/s", scope="tenant"))
def by_turns(name: str, number: int) -> int:
    """Keep a rate that the shared limiter keeps."""
    _begun(name)
    return number


@tool(effect=Effect.READ, throttle=f"{CROWDED_PER_SECOND}/s")
def crowded(name: str, number: int) -> int:
    """Be asked for by several tenants."""
    _begun(name)
    return number


@tool(effect=Effect.EXTERNAL, throttle=f"{60 // RARE_SECONDS}/min")
def rare_by_queue(name: str, number: int) -> int:
    """Change something, at a slow rate that the server keeps."""
    _begun(name)
    return number


@tool(
    effect=Effect.EXTERNAL,
    throttle=Throttle(rate=f"{60 // RARE_SECONDS}/min", burst=1, scope="tenant"),
)
def rare_by_turns(name: str, number: int) -> int:
    """Change something, at a slow rate that the shared limiter keeps."""
    _begun(name)
    return number


_TOOLS = {item.name: item for item in (by_queue, by_turns, crowded, rare_by_queue, rare_by_turns)}


class Paces(TypedDict):
    name: str
    tool: str
    count: int
    answers: list[int]


async def call_all(state: Paces) -> dict[str, Any]:
    """Call the tool as often as it is told, all at once."""
    chosen = _TOOLS[state["tool"]]
    calls = [
        chosen.ainvoke({"name": state["name"], "number": number})
        for number in range(state["count"])
    ]
    return {"answers": await asyncio.gather(*calls)}


def _graph() -> StateGraph[Paces, None, Paces, Paces]:
    graph: StateGraph[Paces, None, Paces, Paces] = StateGraph(Paces)
    graph.add_node("call_all", call_all)
    graph.add_edge(START, "call_all")
    return graph


pacer = agent("pacer", _graph, tools=list(_TOOLS.values()))
