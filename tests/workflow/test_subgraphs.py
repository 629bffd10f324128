"""Graphs inside graphs: what they keep, carry and forget over the parts of a run."""

from __future__ import annotations

import asyncio
import operator
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
import pytest_asyncio
from langchain.agents import create_agent
from langchain_core.messages import AnyMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from typing_extensions import TypedDict

from interlock.agents import Agent, agent, model
from interlock.testing import WorkerEnv, worker_env
from interlock.tools import Effect, tool
from tests.graphs import PAID, pay_small, price_of
from tests.integration.bad_input.table import read_rows
from tests.workflow.test_runs import said

LOOKED: list[str] = []


@tool(effect=Effect.READ)
async def look(shelf: str) -> str:
    """Look at a shelf."""
    LOOKED.append(shelf)
    return f"{shelf} is full"


class Visit(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    visits: Annotated[list[int], operator.add]


class Memory(TypedDict):
    seen: Annotated[list[str], operator.add]
    visits: Annotated[list[int], operator.add]


async def remember(state: Memory) -> dict[str, Any]:
    """Says how many visits this graph remembers."""
    return {"seen": ["again"], "visits": [len(state["seen"])]}


def desk() -> Agent:
    """A graph with memory of its own, then LangChain's agent as a node."""
    memory: StateGraph[Memory, None, Memory, Memory] = StateGraph(Memory)
    memory.add_node("remember", remember)
    memory.add_edge(START, "remember")
    remembers = memory.compile(checkpointer=True)

    async def visit(state: Visit) -> dict[str, Any]:
        return {"visits": (await remembers.ainvoke({"visits": []}))["visits"][-1:]}

    made: StateGraph[Visit, None, Visit, Visit] = StateGraph(Visit)
    made.add_node("visit", visit)
    made.add_node("clerk", create_agent(model("fast"), tools=[price_of], name="clerk"))
    made.add_edge(START, "visit")
    made.add_edge("visit", "clerk")
    return agent("desk", made)


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


class Order(Log):
    account: str


async def looks(state: Order) -> dict[str, Any]:
    """A call before the question."""
    await look.ainvoke({"shelf": state["account"]})
    return {"log": ["looked"]}


async def asks(state: Order) -> dict[str, Any]:
    """A call and a question in one node."""
    await look.ainvoke({"shelf": f"{state['account']} again"})
    return {"log": [f"told {interrupt({'question': 'Which colour?'})}"]}


async def pays(state: Order) -> dict[str, Any]:
    """A call that changes the world."""
    await pay_small.ainvoke({"account": state["account"], "amount": 1})
    return {"log": ["paid"]}


async def ends(state: Order) -> dict[str, Any]:
    """Joins."""
    return {"log": ["end"]}


def line(*nodes: Any) -> Any:
    """A compiled graph of nodes one after the other."""
    made: StateGraph[Order, None, Order, Log] = StateGraph(Order, output_schema=Log)
    for before, node in zip([START, *(n.__name__ for n in nodes)], nodes, strict=False):
        made.add_node(node.__name__, node)
        made.add_edge(before, node.__name__)
    return made.compile()


def team() -> Agent:
    """Two graphs side by side: one asks a person, two levels down, while the other pays."""
    asking = line(looks, asks)

    async def deeper(state: Order) -> dict[str, Any]:
        return {"log": (await asking.ainvoke({"account": state["account"]}))["log"]}

    made: StateGraph[Order, None, Order, Order] = StateGraph(Order)
    made.add_node("asking", line(deeper))
    made.add_node("paying", line(pays))
    made.add_node("ends", ends)
    for name in ("asking", "paying"):
        made.add_edge(START, name)
    made.add_edge(["asking", "paying"], "ends")
    return agent("team", made, tools=[look, pay_small])


async def leaks(state: Order) -> dict[str, Any]:
    """Puts into the state what cannot be kept."""
    return {"log": ["fine", object()]}


def leaky() -> Agent:
    """A graph whose state cannot be kept, in a subgraph, and that would pay after it."""
    made: StateGraph[Order, None, Order, Order] = StateGraph(Order)
    made.add_node("inside", line(leaks, pays))
    made.add_edge(START, "inside")
    return agent("leaky", made, tools=[pay_small])


SCRIPT = {
    "conversations": {
        "talk": {
            "when": "talk",
            "steps": [
                {"answer": {"tool_calls": [{"name": "price_of", "args": {"article": "lamp"}}]}},
                *({"answer": {"text": f"answer {number}"}} for number in range(20)),
            ],
        }
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """These agents; a run continues as new after 50 events."""
    async with worker_env(
        server,
        tmp_path_factory.mktemp("subgraphs"),
        agents=[desk(), team(), leaky()],
        script=SCRIPT,
        temporal={"history_events": 50},
    ) as running:
        yield running


async def carried(env: WorkerEnv, handle: Any) -> dict[str, Any]:
    """The checkpoint that the newest run of the chain began with."""
    history = await handle.fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    (request,) = await env.client.data_converter.decode(started.input.payloads)
    checkpoint: dict[str, Any] = request["carried"]["checkpoint"]
    return checkpoint


async def test_a_conversation_with_subgraphs_is_carried_whole_and_once(env: WorkerEnv) -> None:
    """Over continue-as-new the graph with memory goes on counting; calls that are over stay behind."""
    handle = await env.start("desk", "talk 0", conversation=True)
    first = handle.first_execution_run_id
    await said(handle, "answer 0")
    for number in range(1, 12):
        assert (await handle.execute_update("submit_message", f"talk {number}"))["accepted"]
        await said(handle, f"answer {number}")
    assert (await handle.describe()).run_id != first, "the conversation did not continue as new"
    assert (await handle.query("state"))["visits"] == list(range(12))
    assert sorted(await carried(env, handle)) == ["", "visit"]
    await env.replay(handle)
    await env.replay(env.client.get_workflow_handle(handle.id, run_id=first))
    await handle.signal("cancel_run", "enough")
    assert (await env.result(handle)).status == "cancelled"


async def test_a_question_in_a_subgraph_waits_while_its_sibling_is_done(env: WorkerEnv) -> None:
    """The sibling's payment is made once, and so is every call before the question."""
    account = uuid.uuid4().hex
    handle = await env.start("team", {"account": account, "log": []})
    (question,) = await env.pending(handle)
    async with asyncio.timeout(20):
        while not PAID[account]:  # noqa: ASYNC110  another thread pays
            await asyncio.sleep(0.02)
    await env.decide(handle, question, "respond", result="red")
    result = await env.result(handle)
    assert sorted(result.output["log"]) == ["end", "looked", "paid", "told red"]
    assert PAID[account] == [1]
    assert sorted(found for found in LOOKED if account in found) == [account, f"{account} again"]
    await env.replay(handle)


async def test_a_state_that_cannot_be_kept_fails_the_run_at_once(env: WorkerEnv) -> None:
    """The failure names the key and the place, and nothing that comes after it is done."""
    account = uuid.uuid4().hex
    handle = await env.start("leaky", {"account": account, "log": []})
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    error = failed.value.cause
    read_rows()["state that cannot be kept"].check(str(error.type), error.message)
    assert error.message.startswith("state['log'][1]: a object cannot cross")
    assert PAID[account] == []
    await env.replay(handle)
