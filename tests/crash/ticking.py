"""An agent as worker processes host it: its one node calls a throttled tool many times at once."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from interlock.agents import agent
from interlock.tools import Effect, tool

RECORD = "TICKS_RECORD"
"""Environment variable with the file that calls are written down in."""
PER_SECOND = 5


@tool(effect=Effect.READ, throttle=f"{PER_SECOND}/s")
def tick(number: int) -> int:
    """Write down when and in which process it is called."""
    line = f"{time.monotonic()} {os.getpid()}\n"
    with Path(os.environ[RECORD]).open("a", encoding="utf-8") as record:
        record.write(line)
    return number


class Ticks(TypedDict):
    count: int
    answers: list[int]


async def tick_all(state: Ticks) -> dict[str, Any]:
    """Call the tool as often as it is told, all at once."""
    calls = [tick.ainvoke({"number": number}) for number in range(state["count"])]
    return {"answers": await asyncio.gather(*calls)}


def _graph() -> StateGraph[Ticks, None, Ticks, Ticks]:
    graph: StateGraph[Ticks, None, Ticks, Ticks] = StateGraph(Ticks)
    graph.add_node("tick_all", tick_all)
    graph.add_edge(START, "tick_all")
    return graph


ticker = agent("ticker", _graph, tools=[tick])
