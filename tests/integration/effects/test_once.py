"""One logical call is one effect, however often its node or its middleware runs it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from temporalio.client import Client
from typing_extensions import TypedDict

from interlock.agents import Agent, agent, model
from interlock.audit import LedgerRow, LedgerState
from interlock.errors import ToolUnavailable
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.tools import Effect, Risk, tool
from tests.graphs import PAID, pay, pay_small, shopper

CREDITED: Counter[str] = Counter()
"""Effects of `credit`, by account."""
TRIED: Counter[str] = Counter()
"""Calls of `credit` and `ship`, by account."""
SHIPPED: Counter[str] = Counter()
"""Effects of `ship`, by account."""


async def find_credit(call: Any) -> str | None:
    """Say whether an account was credited."""
    return "credited" if CREDITED[call.arguments["account"]] else None


@tool(effect=Effect.EXTERNAL, risk=Risk.LOW, reconcile=find_credit)
async def credit(account: str) -> str:
    """Credit an account; the answer is lost after the effect."""
    TRIED[account] += 1
    CREDITED[account] += 1
    raise ConnectionError("the answer was lost")


@tool(effect=Effect.EXTERNAL, risk=Risk.LOW, attempts=1)
async def ship(account: str) -> str:
    """Ship something; the other side is closed the first time."""
    TRIED[account] += 1
    if TRIED[account] == 1:
        raise ToolUnavailable("closed for lunch")
    SHIPPED[account] += 1
    return "shipped"


class Purchase(TypedDict):
    account: str
    answer: str


async def buy(state: Purchase) -> dict[str, Any]:
    """Pays twice, with and without a person's consent, and then asks."""
    await pay_small.ainvoke({"account": state["account"], "amount": 1})
    await pay.ainvoke({"account": state["account"], "amount": 2})
    return {"answer": str(interrupt({"question": "Was that right?"}))}


def buyer() -> Agent:
    """An agent of one node that has effects before its `interrupt()`."""
    graph: StateGraph[Purchase, None, Purchase, Purchase] = StateGraph(Purchase)
    graph.add_node("buy", buy)
    graph.add_edge(START, "buy")
    return agent("buyer", graph, tools=[pay, pay_small])


def retrying() -> Agent:
    """An agent whose middleware calls a tool again when it raises."""
    retry = ToolRetryMiddleware(max_retries=2, initial_delay=0.01, on_failure="error")
    tools = [credit, ship]
    return agent("retrying", lambda: create_agent(model("fast"), tools=tools, middleware=[retry]))


def _call(name: str, call_id: str, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "id": call_id}


def _conversation(when: str, *calls: dict[str, Any]) -> dict[str, Any]:
    steps = [
        {"answer": {"tool_calls": list(calls)}},
        {"expect": {"role": "tool"}, "answer": {"text": "Done."}},
    ]
    return {"when": when, "steps": steps}


SCRIPT = {
    "conversations": {
        "lost": _conversation("lost answer", _call("credit", "c1", account="lost")),
        "closed": _conversation("closed shop", _call("ship", "s1", account="closed")),
        "twins": _conversation(
            "pay twice",
            _call("pay", "p1", account="twins", amount=5),
            _call("pay", "p2", account="twins", amount=5),
        ),
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment of a buyer, and of a shopper whose tools are retried by middleware."""
    folder = tmp_path_factory.mktemp("once")
    agents = [buyer(), retrying(), shopper()]
    async with worker_env(server, folder, agents=agents, script=SCRIPT) as running:
        yield running


async def rows(env: WorkerEnv, handle: Handle) -> list[LedgerRow]:
    """What the ledger has of a run."""
    return await env.app.ledger.rows(workflow_id=handle.id)


async def test_an_effect_before_an_interrupt_is_made_once(env: WorkerEnv) -> None:
    """The node runs from its top when it is answered; what it did and asked before is not redone."""
    account = uuid.uuid4().hex
    handle = await env.start("buyer", {"account": account})
    (action,) = await env.pending(handle)
    assert action.tool == "pay"
    await env.decide(handle, action, "approve")
    (question,) = await env.pending(handle)
    assert question.kind == "question"
    await env.decide(handle, question, "respond", result="yes")
    assert (await env.result(handle)).output["answer"] == "yes"
    assert PAID[account] == [1, 2]
    assert [row.token for row in await rows(env, handle)] == [1, 1]
    await env.replay(handle)


async def test_a_lost_answer_under_retry_middleware_is_one_effect(env: WorkerEnv) -> None:
    """A tool that raises after its effect is asked what happened, and never called again."""
    handle = await env.start("retrying", "lost answer")
    assert (await env.result(handle)).reply == "Done."
    assert (CREDITED["lost"], TRIED["lost"]) == (1, 1)
    (row,) = await rows(env, handle)
    assert (row.state, row.result) == (LedgerState.DONE, "credited")
    await env.replay(handle)


async def test_retry_middleware_repeats_what_did_not_happen(env: WorkerEnv) -> None:
    """A call that was definitely not made is made by the middleware's retry, under the same key."""
    handle = await env.start("retrying", "closed shop")
    assert (await env.result(handle)).reply == "Done."
    assert (SHIPPED["closed"], TRIED["closed"]) == (1, 2)
    (row,) = await rows(env, handle)
    assert (row.state, row.token, row.call_id) == (LedgerState.DONE, 2, "s1")
    await env.replay(handle)


async def test_two_calls_with_equal_arguments_are_two_effects(env: WorkerEnv) -> None:
    """Two tool call ids are two requests and two payments; deciding one leaves the other open."""
    PAID.pop("twins", None)
    handle = await env.start("shopper", "pay twice")
    first, second = await env.pending(handle, count=2)
    assert first.digest == second.digest
    assert first.id != second.id
    await env.decide(handle, first, "approve")
    assert [request.id for request in await env.open_requests(handle)] == [second.id]
    await env.decide(handle, second, "approve")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["twins"] == [5, 5]
    found = await rows(env, handle)
    assert {row.call_id for row in found} == {"p1", "p2"}
    assert {row.request_id for row in found} == {first.id, second.id}
    assert len({row.effect_key for row in found}) == 2
    await env.replay(handle)
