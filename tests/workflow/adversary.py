"""Agents and a policy for those who try to have something paid that nobody approved."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from interlock.agents import Agent, agent
from interlock.audit import EventFilter, LedgerState
from interlock.testing import WorkerEnv
from interlock.testing.env import Handle
from interlock.tools import Effect, tool
from tests.graphs import PAID, pay, shopper

RULES = """
rules:
  - {name: reads, effect: READ, then: allow}
  - {name: brief, tool: pay, when: "args.amount == 2", then: {ask: {deadline: 1s}}}
  - {name: two, tool: pay, when: "args.amount == 3", then: {ask: {quorum: 2}}}
  - {name: leads, tool: pay, when: "args.amount == 4", then: {ask: {who: lead}}}
  - {name: one, tool: pay, then: ask}
"""

MEDDLE: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
MEDDLED: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
QUOTES: dict[str, int] = defaultdict(lambda: 7)
"""What the other side wants to have, by account."""


@tool(effect=Effect.READ)
async def wait_for(account: str) -> None:
    """Wait until the test says so."""
    await MEDDLE[account].wait()


@tool(effect=Effect.READ)
async def tell(account: str) -> None:
    """Let the test know."""
    MEDDLED[account].set()


@tool(effect=Effect.READ)
async def quote(account: str) -> int:
    """Return what is to be paid."""
    return QUOTES[account]


class Order(TypedDict):
    order: dict[str, Any]


async def pays(state: Order) -> None:
    """Pays what the state says."""
    await pay.ainvoke(state["order"])


async def meddles(state: Order) -> dict[str, Any]:
    """Changes what another node is about to pay, in the very object that it has, and in the state."""
    account = state["order"]["account"]
    await wait_for.ainvoke({"account": account})
    state["order"]["amount"] = 700
    await tell.ainvoke({"account": account})
    return {"order": {"account": account, "amount": 700}}


async def pays_again(state: Order) -> None:
    """Pays what the state says by now."""
    await pay.ainvoke(state["order"])


def meddler() -> Agent:
    """An agent that edits its state while a person is asked about what was in it."""
    graph: StateGraph[Order, None, Order, Order] = StateGraph(Order)
    for node in (pays, meddles, pays_again):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "pays")
    graph.add_edge(START, "meddles")
    graph.add_edge(["pays", "meddles"], "pays_again")
    graph.add_edge("pays_again", END)
    return agent("meddler", graph, tools=[pay, wait_for, tell])


async def pays_quote(state: Order) -> None:
    """Pays what the other side wants to have."""
    account = state["order"]["account"]
    amount = await quote.ainvoke({"account": account})
    args = {"account": account, "amount": amount}
    await pay.ainvoke({"type": "tool_call", "name": "pay", "id": "c0", "args": args})


def quoting() -> Agent:
    """An agent that asks for another amount when it runs again."""
    graph: StateGraph[Order, None, Order, Order] = StateGraph(Order)
    graph.add_node("pays_quote", pays_quote)
    graph.add_edge(START, "pays_quote")
    return agent("quoting", graph, tools=[pay, quote])


def agents() -> list[Agent]:
    """Every agent of the deployment."""
    reviewed = shopper(HumanInTheLoopMiddleware(interrupt_on={"pay": True}), name="reviewed")
    return [shopper(), reviewed, meddler(), quoting()]


async def paid(env: WorkerEnv, handle: Handle, account: str) -> list[int]:
    """Return what was paid into an account by a run that is over.

    Raises:
        AssertionError: a payment was not approved, or an approval was used for two.
    """
    rows = await env.app.ledger.rows(workflow_id=handle.id, state=LedgerState.DONE)
    found = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    approved = {event.details["request"] for event in found if event.outcome == "approve"}
    used = [row.request_id for row in rows]
    assert len(PAID[account]) == len(rows), "the world and the ledger differ"
    assert not {*used} - approved, "unapproved effects"
    assert len({*used}) == len(used), "effects per approval"
    return PAID[account]


async def refused(env: WorkerEnv, handle: Handle) -> list[str]:
    """Return the codes of the refusals that the audit has of a run."""
    found = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
    return [event.name for event in found]
