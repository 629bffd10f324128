"""A failed run names the node, the door, what was asked for and the cause, and is recorded."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langgraph.config import get_store
from langgraph.graph import START, MessagesState, StateGraph
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from interlock.agents import Agent, activity_node, agent, model
from interlock.audit.contract import AuditEvent, EventFilter
from interlock.canonical import digest
from interlock.errors import ToolFailed
from interlock.testing import WorkerEnv, worker_env
from interlock.tools import Effect, tool


@tool(effect=Effect.READ)
async def look_up(key: str) -> str:
    """Say no."""
    raise ToolFailed(f"there is no {key}")


async def breaks(state: MessagesState) -> dict[str, Any]:
    """Raises what no one expects."""
    raise KeyError("colour")


@activity_node(attempts=2)
async def computes(state: MessagesState) -> dict[str, Any]:
    """Raises in its activity."""
    raise ValueError("no such number")


@activity_node(timeout_seconds=0.3, attempts=1)
async def dawdles(state: MessagesState) -> dict[str, Any]:
    """Takes too long."""
    await asyncio.Event().wait()
    return {}


async def asks(state: MessagesState) -> dict[str, Any]:
    """Asks a model whose script says nothing of this."""
    return {"messages": [await model("fast").ainvoke("what is this?")]}


async def calls(state: MessagesState) -> dict[str, Any]:
    """Calls a tool that says no."""
    await look_up.ainvoke({"key": "K-1"})
    return {}


async def remembers(state: MessagesState) -> dict[str, Any]:
    """Asks memory with an operator that does not exist."""
    await get_store().aput(("notes",), "n1", {"kind": "note"})
    await get_store().asearch(("notes",), filter={"kind": {"$like": "x"}})
    return {}


def one_node(node: Any) -> Agent:
    """An agent of one node, with the node's name."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node(node.__name__, node)
    graph.add_edge(START, node.__name__)
    return agent(node.__name__, graph, tools=[look_up])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """Agents that fail, each in another way."""
    agents = [one_node(node) for node in (breaks, computes, dawdles, asks, calls, remembers)]
    async with worker_env(server, tmp_path_factory.mktemp("failures"), agents=agents) as running:
        yield running


async def failure(env: WorkerEnv, handle: Any) -> ApplicationError:
    """The error that failed a run."""
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def run_events(env: WorkerEnv, handle: Any) -> list[AuditEvent]:
    """What the audit store says of the run itself."""
    return await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="run"))


@pytest.mark.parametrize(
    ("name", "code", "door", "cause"),
    [
        ("breaks", "GRAPH_FAILED", None, "KeyError"),
        ("computes", "GRAPH_FAILED", "node", "ValueError"),
        ("dawdles", "GRAPH_FAILED", "node", "TimeoutError"),
        ("asks", "SCRIPT_MISMATCH", "model", None),
        ("calls", "TOOL_FAILED", "tool", None),
        ("remembers", "BAD_INPUT", "memory", None),
    ],
)
async def test_a_failed_run_says_where_and_why(
    env: WorkerEnv, name: str, code: str, door: str | None, cause: str | None
) -> None:
    """Code, node, door, a digest of what was asked for, and the cause; in the audit store too."""
    handle = await env.start(name, "hi")
    error = await failure(env, handle)
    details = error.details[0]
    assert (error.type, details["node"]) == (code, name)
    assert (details.get("door"), details.get("cause")) == (door, cause)
    assert ("arguments" in details) is (door is not None)
    started, ended = await run_events(env, handle)
    assert (started.outcome, ended.outcome) == ("started", "failed")
    assert {**ended.details, "code": code} == {**details, "code": code, "message": error.message}
    await env.replay(handle)


async def test_the_digest_is_of_the_arguments(env: WorkerEnv) -> None:
    """An engineer can tell which of several calls it was without seeing what it was about."""
    error = await failure(env, await env.start("calls", "hi"))
    assert error.details[0]["arguments"] == digest({"key": "K-1"})[:12]
    assert error.details[0]["tool"] == "look_up"


async def test_an_unknown_agent_is_named_and_recorded(env: WorkerEnv) -> None:
    """A run that cannot be opened is in the audit store all the same."""
    handle = await env.start("suport", "hi")
    error = await failure(env, handle)
    assert error.type == "UNKNOWN_AGENT"
    assert "'suport'" in error.message
    assert "breaks" in error.message
    (event,) = await run_events(env, handle)
    assert (event.outcome, event.details["code"]) == ("failed", "UNKNOWN_AGENT")
    assert event.context.agent == "suport"
    await env.replay(handle)


async def test_a_malformed_request_is_recorded(env: WorkerEnv) -> None:
    """Even when nobody can tell which agent was meant."""
    handle = await env.client.start_workflow(
        "AgentWorkflow", "hello", id=uuid.uuid4().hex, task_queue=env.task_queue
    )
    assert (await failure(env, handle)).type == "BAD_INPUT"
    (event,) = await run_events(env, handle)
    assert (event.name, event.details["code"]) == ("AgentWorkflow", "BAD_INPUT")
    assert (await env.status(handle)).state == "failed"
    await env.replay(handle)
