"""What a worker's metrics tell: the state of each circuit breaker, beside what the SDK counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph.graph import START, StateGraph
from temporalio.client import Client
from typing_extensions import TypedDict

from interlock.agents import Agent, agent
from interlock.connection import metrics_runtime
from interlock.errors import CircuitOpen, ConfigError, ToolUnavailable
from interlock.settings import Settings
from interlock.testing import worker_env
from interlock.tools import Breaker, Effect, tool

BREAKER = Breaker(failure_rate=0.5, window_seconds=5, min_calls=2, open_seconds=60)


class Calls(TypedDict):
    codes: list[str]


@tool(effect=Effect.READ, dependency="shop", breaker=BREAKER, attempts=1)
async def look(number: int) -> int:
    """Fails, as its service does."""
    raise ToolUnavailable("the shop does not answer", number=number)


async def call_all(_: Calls) -> dict[str, Any]:
    """Call until the breaker refuses."""
    codes = []
    for number in range(3):
        try:
            await look.ainvoke({"number": number})
        except (CircuitOpen, ToolUnavailable) as error:
            codes.append(error.code)
    return {"codes": codes}


def caller() -> Agent:
    """An agent that calls it three times."""
    graph: StateGraph[Calls, None, Calls, Calls] = StateGraph(Calls)
    graph.add_node("call_all", call_all)
    graph.add_edge(START, "call_all")
    return agent("caller", graph, tools=[look])


async def test_a_breaker_is_a_metric(server: Client, tmp_path: Path, unused_tcp_port: int) -> None:
    """One series for each state, of which one is 1; the SDK's own metrics are there too."""
    address = f"127.0.0.1:{unused_tcp_port}"
    telemetry = {"metrics_address": address}
    async with worker_env(server, tmp_path, agents=[caller()], telemetry=telemetry) as env:
        result = await env.result(await env.start("caller", {"codes": []}))
        assert result.output == {"codes": ["TOOL_UNAVAILABLE", "TOOL_UNAVAILABLE", "CIRCUIT_OPEN"]}
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://{address}/metrics")).text
    series = re.findall(
        r'^interlock_breaker\{dependency="shop",.*?state="(\w+)".*\} (\d)$', text, re.M
    )
    assert dict(series) == {"closed": "0", "open": "1", "half_open": "0"}, text
    assert len(series) == 3
    assert "temporal_workflow_completed_total" in text


def test_an_address_that_cannot_be_had_is_named() -> None:
    """The message says which setting to change."""
    with pytest.raises(ConfigError, match=r"'localhost:9464'.*'telemetry\.metrics_address'"):
        metrics_runtime(Settings(telemetry={"metrics_address": "localhost:9464"}))
    assert metrics_runtime(Settings()) is None
