"""A run continues as new in the middle of a turn: nothing is forgotten, doubled or asked again."""

from __future__ import annotations

import asyncio
import operator
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import pytest
import pytest_asyncio
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from typing_extensions import TypedDict

from interlock.agents import Agent, agent, model
from interlock.audit import EventFilter, LedgerRow, LedgerState
from interlock.payloads import first
from interlock.replay import fetch, runs
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.tools import Effect, tool
from interlock.tools.contract import effect_key
from tests.graphs import PAID, pay, pay_small, shopper

ROUNDS = 6
CALLS = 6
STEPS = 16
BUSY: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
GO_ON: dict[str, asyncio.Event] = defaultdict(asyncio.Event)


@tool(effect=Effect.READ)
async def hold(account: str) -> str:
    """Say that the turn has begun, and wait until the test lets it go on."""
    BUSY[account].set()
    await GO_ON[account].wait()
    return "go on"


class Rounds(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    account: str
    rounds: Annotated[int, operator.add]


async def begin(state: Rounds) -> dict[str, Any]:
    """Pays what a person approves, and waits."""
    await pay.ainvoke({"account": state["account"], "amount": 1})
    await hold.ainvoke({"account": state["account"]})
    return {}


async def pay_twice(state: Rounds) -> dict[str, Any]:
    """Makes the same two payments as in the round before."""
    answer = await answered(state)
    order = {"account": state["account"], "amount": 1}
    await pay_small.ainvoke(order)
    await pay_small.ainvoke(order)
    return {**answer, "rounds": 1}


async def answered(state: Rounds) -> dict[str, Any]:
    """Answers with the model."""
    return {"messages": [await model("fast").ainvoke(state["messages"])]}


def where_to_begin(state: Rounds) -> Literal["begin", "answered"]:
    """The first turn pays, the others talk."""
    return "answered" if state.get("rounds") else "begin"


def again(state: Rounds) -> Literal["pay_twice", "__end__"]:
    """So many rounds."""
    return "pay_twice" if state["rounds"] < ROUNDS else END


def payer() -> Agent:
    """An agent whose first turn is long."""
    graph: StateGraph[Rounds, None, Rounds, Rounds] = StateGraph(Rounds)
    for node in (begin, pay_twice, answered):
        graph.add_node(node.__name__, node)
    graph.add_conditional_edges(START, where_to_begin)
    graph.add_edge("begin", "pay_twice")
    graph.add_conditional_edges("pay_twice", again)
    return agent("payer", graph, tools=[pay, pay_small, hold])


async def never_done(state: Rounds) -> dict[str, Any]:
    """Makes the same payment again."""
    await pay_small.ainvoke({"account": state["account"], "amount": 1})
    return {"rounds": 1}


def endless() -> Agent:
    """An agent whose turn does not end."""
    graph: StateGraph[Rounds, None, Rounds, Rounds] = StateGraph(Rounds)
    graph.add_node("never_done", never_done)
    graph.add_edge(START, "never_done")
    graph.add_edge("never_done", "never_done")
    return agent("endless", graph, tools=[pay_small])


def _asking(name: str, account: str, times: int) -> dict[str, Any]:
    """A conversation in which the model asks for the same payment again and again."""
    args = {"account": account, "amount": 2}
    steps: list[dict[str, Any]] = [
        {"answer": {"tool_calls": [{"name": name, "args": args, "id": f"call-{number}"}]}}
        for number in range(times)
    ]
    return {"when": account, "steps": [*steps, {"answer": {"text": "All paid."}}]}


SCRIPT = {
    "conversations": {
        "equal": _asking("pay_small", "equal", CALLS),
        "asked": _asking("pay", "asked", 1),
        "payer": {"pick": "match", "steps": [{"answer": {"text": "ok"}}]},
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """Runs continue as new after 50 events, which is two or three rounds."""
    agents = [
        payer(),
        endless(),
        shopper(),
        shopper(HumanInTheLoopMiddleware(interrupt_on={"pay": True}), name="careful"),
    ]
    async with worker_env(
        server,
        tmp_path_factory.mktemp("chains"),
        agents=agents,
        script=SCRIPT,
        temporal={"history_events": 50},
        limits={"steps": STEPS},
    ) as running:
        yield running


async def carried(env: WorkerEnv, handle: Handle) -> list[dict[str, Any]]:
    """What each run of a chain was handed by the one before, after replaying each."""
    chain = await runs(env.client, handle.id)
    assert chain[0] == handle.first_execution_run_id
    found = []
    for run_id in chain:
        await env.replay(env.client.get_workflow_handle(handle.id, run_id=run_id))
        events = (await fetch(env.client, handle.id, run_id)).events
        started = events[0].workflow_execution_started_event_attributes
        found.append(first(started.input.payloads).get("carried"))
    assert found.pop(0) is None
    return found


async def assert_distinct(env: WorkerEnv, handle: Handle, name: str, count: int) -> list[LedgerRow]:
    """Expect so many equal effects of a tool, under the keys of one lineage, each made once."""
    rows = [row for row in await env.app.ledger.rows(workflow_id=handle.id) if row.tool == name]
    lineage = f"default/{handle.id}/{handle.first_execution_run_id}"
    expected = [effect_key(lineage, name, rows[0].arguments, number) for number in range(count)]
    assert [row.effect_key for row in rows] == expected
    assert {row.context.lineage for row in rows} == {lineage}
    assert {(row.state, row.token) for row in rows} == {(LedgerState.DONE, 1)}
    assert len({row.call_id for row in rows}) == count
    return rows


async def test_a_turn_goes_on_in_the_next_run(env: WorkerEnv) -> None:
    """Equal effects stay distinct, and usage, decisions and unread messages come along."""
    account = uuid.uuid4().hex
    handle = await env.start("payer", {"messages": ["go"], "account": account}, conversation=True)
    (action,) = await env.pending(handle)
    await env.decide(handle, action, "approve")
    await BUSY[account].wait()
    for text in ("one", "two"):
        assert (await handle.execute_update("submit_message", text))["accepted"]
    GO_ON[account].set()
    await env.idle(handle)
    texts = [item["data"]["content"] for item in await handle.query("transcript")]
    assert texts == ["go", *["ok"] * ROUNDS, "one", "two", "ok"]
    late = await env.decide(handle, action, "approve")
    assert (late.accepted, late.code) == (False, "ALREADY_DECIDED")
    await handle.signal("cancel_run")
    usage = (await env.result(handle)).usage
    assert (usage.model_calls, usage.tool_calls) == (ROUNDS + 1, 2 * ROUNDS + 2)
    parts = [part for part in await carried(env, handle) if part["turn_open"]]
    assert len(parts) >= 2
    for part in parts:
        assert [item["data"]["content"] for item in part["messages"]] == ["one", "two"]
        assert "outside" not in part  # no rule is about labels
    await assert_distinct(env, handle, "pay_small", 2 * ROUNDS)
    await assert_distinct(env, handle, "pay", 1)
    assert PAID[account] == [1] * (2 * ROUNDS + 1)
    calls = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="model_call"))
    assert [event.id.split("/")[2] for event in calls] == [f"m{n + 1}" for n in range(ROUNDS + 1)]


async def test_equal_calls_of_the_model_stay_distinct(env: WorkerEnv) -> None:
    """Tool calls with equal arguments and ids of their own are as many effects over several runs."""
    handle = await env.start("shopper", "equal")
    assert (await env.result(handle)).reply == "All paid."
    parts = await carried(env, handle)
    assert len(parts) >= 1
    assert all(part["turn_open"] for part in parts)
    assert PAID["equal"] == [2] * CALLS
    rows = await assert_distinct(env, handle, "pay_small", CALLS)
    assert [row.call_id for row in rows] == [f"call-{number}" for number in range(CALLS)]


async def test_a_decision_holds_in_the_next_run(env: WorkerEnv) -> None:
    """What middleware had approved before the boundary is not asked for again behind it."""
    handle = await env.start("careful", "asked")
    (action,) = await env.pending(handle)
    stray = {"request_id": "x:y", "verb": "approve", "digest": "z"}
    for _ in range(15):  # each is a workflow task: history is long when the approval comes
        await handle.execute_update("submit_decision", stray)
    await env.decide(handle, action, "approve")
    assert (await env.result(handle)).reply == "All paid."
    assert PAID["asked"] == [2]
    first_part, *_ = await carried(env, handle)
    assert list(first_part["ruled"]["call-0"]["granted"].values())
    (row,) = await assert_distinct(env, handle, "pay", 1)
    assert row.request_id == action.id
    decided = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    assert [event.outcome for event in decided] == ["requested", "approve"]


async def test_a_turn_that_never_ends_is_stopped_over_several_runs(env: WorkerEnv) -> None:
    """The limit is of one turn, however many runs it takes."""
    account = uuid.uuid4().hex
    handle = await env.start("endless", {"messages": ["go"], "account": account})
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "LIMIT_REACHED"
    assert f"more than {STEPS} steps" in failed.value.cause.message
    assert len(await carried(env, handle)) >= 1
    assert len(PAID[account]) == STEPS
