"""Agents whose calls reach a third party outside the deployment, which says when they came."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Protocol

import httpx
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from interlock.agents import Agent, agent, model
from interlock.tools import Effect, Risk, Tool, tool

PER_SECOND = 10
"""Limit of the throttled tool."""
CARRY_SECONDS = 5.0
"""Timeout of the tool in whose call a worker is killed: nobody makes the call again before it is
over for certain."""


@cache
def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=60)


async def _make(url: str) -> str:
    answer = await _client().post(url)
    answer.raise_for_status()
    return url


@tool(effect=Effect.EXTERNAL, risk=Risk.MEDIUM)
async def deliver(url: str) -> str:
    """Deliver a parcel once a person has agreed."""
    return await _make(url)


@tool(effect=Effect.IDEMPOTENT, timeout_seconds=CARRY_SECONDS)
async def carry(url: str) -> str:
    """Carry a parcel; the third party knows a key that comes again."""
    return await _make(url)


@tool(effect=Effect.EXTERNAL, throttle=f"{PER_SECOND}/s")
async def ring(url: str) -> str:
    """Ring at a door, ten times a second at most."""
    return await _make(url)


class Errand(TypedDict):
    """One call."""

    url: str
    """Where the third party takes the effect."""
    done: str


class Round(TypedDict):
    """Many calls."""

    url: str
    """What their addresses begin with."""
    count: int


class _Node(Protocol):
    async def __call__(self, state: Errand) -> dict[str, Any]: ...


def _making(with_tool: Tool) -> _Node:
    async def make(state: Errand) -> dict[str, Any]:
        return {"done": await with_tool.ainvoke({"url": state["url"]})}

    return make


async def _think(state: Errand) -> dict[str, Any]:
    await model("fast").ainvoke(state["url"].rpartition("/")[2])
    return {"done": state["url"]}


async def _ring_often(state: Round) -> dict[str, Any]:
    urls = [f"{state['url']}-{number}" for number in range(state["count"])]
    await asyncio.gather(*(ring.ainvoke({"url": url}) for url in urls))
    return {}


def _errand(name: str, node: _Node, *tools: Tool) -> Agent:
    graph: StateGraph[Errand, None, Errand, Errand] = StateGraph(Errand)
    graph.add_node("make", node)
    graph.add_edge(START, "make")
    return agent(name, graph, tools=list(tools))


def _rounds() -> StateGraph[Round, None, Round, Round]:
    graph: StateGraph[Round, None, Round, Round] = StateGraph(Round)
    graph.add_node("ring", _ring_often)
    graph.add_edge(START, "ring")
    return graph


AGENTS = [
    _errand("courier", _making(deliver), deliver),
    _errand("carrier", _making(carry), carry),
    _errand("thinker", _think),
    agent("ringer", _rounds, tools=[ring]),
]
"""The agents of the deployment that works with the third party."""
