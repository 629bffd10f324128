"""Cancelling: the current call stops, nothing begins any more, and the end is explained."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from temporalio.client import Client, WorkflowFailureError

from interlock.agents import Agent, activity_node, agent, model
from interlock.audit.contract import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.tools import Effect, tool

STARTED: dict[str, asyncio.Event] = {}
STOPPED: list[str] = []
CALLED: list[str] = []
PAID: list[str] = []


async def hang(name: str) -> str:
    """Wait until it is cancelled."""
    CALLED.append(name)
    STARTED.setdefault(name, asyncio.Event()).set()
    try:
        await asyncio.Event().wait()
    finally:
        STOPPED.append(name)
    return "never"


@tool(effect=Effect.READ, timeout_seconds=30)
async def slow(name: str) -> str:
    """Read something that never comes."""
    return await hang(name)


@tool(effect=Effect.EXTERNAL, timeout_seconds=30)
async def wire(name: str) -> str:
    """Do something whose answer never comes."""
    return await hang(name)


@tool(effect=Effect.EXTERNAL)
async def pay(name: str) -> str:
    """Pay what must not be paid once the run is cancelled."""
    PAID.append(name)
    return "paid"


@activity_node
async def hangs_as_node(state: MessagesState) -> dict[str, Any]:
    """Never answers."""
    await hang(str(state["messages"][0].text))
    return {}


async def waits(state: MessagesState) -> dict[str, Any]:
    """Calls a tool that never answers."""
    await slow.ainvoke({"name": str(state["messages"][0].text)})
    return {}


async def falls_back(state: MessagesState) -> dict[str, Any]:
    """Takes any exception for a failure, and pays instead."""
    name = str(state["messages"][0].text)
    try:
        await slow.ainvoke({"name": name})
    except Exception:  # noqa: BLE001  as graphs do
        await pay.ainvoke({"name": name})
    return {"messages": [AIMessage("done another way")]}


async def swallows(state: MessagesState) -> dict[str, Any]:
    """Takes even its cancellation for a failure, and pays instead."""
    name = str(state["messages"][0].text)
    try:
        await slow.ainvoke({"name": name})
    except BaseException:  # noqa: BLE001  as no graph should
        await pay.ainvoke({"name": name})
    return {"messages": [AIMessage("done another way")]}


def one_node(name: str, node: Any) -> Agent:
    """An agent of one node."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node(node.__name__, node)
    graph.add_edge(START, node.__name__)
    return agent(name, graph, tools=[slow, wire, pay])


def retrying(name: str, called: Any) -> Agent:
    """An agent whose middleware calls a failed tool again."""
    retry = ToolRetryMiddleware(max_retries=2, initial_delay=0.01, jitter=False)
    return agent(name, lambda: create_agent(model("fast"), tools=[called], middleware=[retry]))


AGENTS = (
    one_node("waiter", waits),
    one_node("faller", falls_back),
    one_node("swallower", swallows),
    one_node("noder", hangs_as_node),
    retrying("reader", slow),
    retrying("payer", wire),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """Agents that wait for a call that never ends."""
    script = {
        "conversations": {
            called: {
                "when": called,
                "steps": [{"answer": {"tool_calls": [{"name": called, "args": {"name": called}}]}}],
            }
            for called in ("slow", "wire")
        }
    }
    async with worker_env(
        server, tmp_path_factory.mktemp("cancelling"), agents=AGENTS, script=script
    ) as running:
        yield running


async def hanging(env: WorkerEnv, name: str) -> tuple[Any, str]:
    """A run whose call hangs, and the name the call was made with."""
    called = {"reader": "slow", "payer": "wire"}.get(name) or uuid.uuid4().hex
    CALLED[:] = [item for item in CALLED if item != called]
    STARTED[called] = asyncio.Event()
    handle = await env.start(name, called)
    await STARTED[called].wait()
    return handle, called


@pytest.mark.parametrize("name", [hosted.name for hosted in AGENTS])
async def test_a_cancelled_run_stops_its_call_and_begins_nothing(env: WorkerEnv, name: str) -> None:
    """Whatever the graph or a middleware makes of the stopped call: no second one, no effect."""
    handle, called = await hanging(env, name)
    await handle.signal("cancel_run", "customer called")
    result = await env.result(handle)
    assert (result.status, result.reason) == ("cancelled", "customer called")
    assert called in STOPPED
    assert CALLED.count(called) == 1
    assert called not in PAID
    assert not await env.open_requests(handle)
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="run"))
    assert [event.outcome for event in events] == ["started", "cancelled"]
    await env.replay(handle)


async def test_a_run_that_temporal_cancels_begins_nothing(env: WorkerEnv) -> None:
    """A cancellation through Temporal is not taken for a failure either."""
    handle, called = await hanging(env, "faller")
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await env.result(handle)
    assert (await handle.describe()).status.name == "CANCELED"  # type: ignore[union-attr]
    assert called not in PAID
    await env.replay(handle)
