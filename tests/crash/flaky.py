"""Agents as worker processes host them: each calls a service again and again, behind its breaker."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import httpx
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from interlock.agents import Agent, agent
from interlock.errors import CircuitOpen, ToolUnavailable
from interlock.tools import Breaker, Effect, Tool, tool

URL = "FLAKY_URL"
"""Environment variable with the service's address."""
BREAKER = Breaker(failure_rate=0.5, window_seconds=5, min_calls=10, open_seconds=2)
SHORT_BREAKER = Breaker(failure_rate=0.5, window_seconds=1, min_calls=4, open_seconds=0.5)
EVERY_SECONDS = 0.3
"""How long a run rests between two calls."""


async def ask() -> None:
    """Ask the service."""
    async with httpx.AsyncClient(timeout=2) as client:
        (await client.post(os.environ[URL])).raise_for_status()


def _looking(name: str, breaker: Breaker, **terms: Any) -> Tool:
    @tool(effect=Effect.READ, dependency="shop", breaker=breaker, name=name, **terms)
    async def look(number: int) -> int:
        """Look a number up."""
        await ask()
        return number

    return look


class Calls(TypedDict):
    seconds: float
    answers: list[str]
    moments: list[float]
    """When each answer came, in seconds of the epoch."""


def _caller(tools: list[Tool]) -> Agent:
    """Return an agent that calls its one tool for some time and keeps how each call ended."""
    (look,) = tools

    async def call_all(state: Calls) -> dict[str, Any]:
        answers: list[str] = []
        moments: list[float] = []
        clock = asyncio.get_running_loop().time  # the workflow's
        end = clock() + state["seconds"]
        while clock() < end:
            try:
                await look.ainvoke({"number": len(answers)})
                answers.append("done")
            except (CircuitOpen, ToolUnavailable) as error:
                answers.append(error.code)
            moments.append(clock())
            await asyncio.sleep(EVERY_SECONDS)
        return {"answers": answers, "moments": moments}

    def build() -> StateGraph[Calls, None, Calls, Calls]:
        graph: StateGraph[Calls, None, Calls, Calls] = StateGraph(Calls)
        graph.add_node("call_all", call_all)
        graph.add_edge(START, "call_all")
        return graph

    return agent(look.name.replace("look", "caller"), build, tools=tools)


failing = _caller([_looking("look_failing", BREAKER, attempts=1)])
"""Is told at once that the service fails."""
waiting = _caller([_looking("look_waiting", BREAKER, attempts=20, while_open="wait")])
"""Waits until the service works."""
failing_short = _caller([_looking("look_failing", SHORT_BREAKER, attempts=1)])
"""The same as `failing`, quicker."""
waiting_short = _caller([_looking("look_waiting", SHORT_BREAKER, attempts=20, while_open="wait")])
"""The same as `waiting`, quicker."""
