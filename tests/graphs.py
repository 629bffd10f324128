"""Two agents that use everything the host promises, for the tests of several rooms.

(a) `everything`: a hand-written graph with conditional edges, a parallel fan-out, a subgraph, a
`Command(goto=...)`, a sync node, an activity node and an `interrupt()`.
(b) `shopper`: LangChain's `create_agent`, unmodified, with tools and middleware.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from typing import Annotated, Any, Literal

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict

from interlock.agents import Agent, activity_node, agent, model
from interlock.tools import Effect, Risk, tool

PAID: dict[str, list[int]] = defaultdict(list)
"""What `pay` did, by account: the outside world of these tests."""


@tool(effect=Effect.EXTERNAL, risk=Risk.HIGH)
async def pay(account: str, amount: int) -> str:
    """Pay an amount into an account."""
    PAID[account].append(amount)
    return f"paid {amount}"


@tool(effect=Effect.EXTERNAL, risk=Risk.LOW)
async def pay_small(account: str, amount: int) -> str:
    """Pay a small amount into an account, without asking."""
    PAID[account].append(amount)
    return f"paid {amount}"


@tool(effect=Effect.READ, local=True)
async def price_of(article: str) -> int:
    """Return the price of an article."""
    return len(article)


class Part(TypedDict):
    article: str


class Doubled(TypedDict):
    total: int


class Everything(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    account: str
    articles: list[str]
    prices: Annotated[list[int], operator.add]
    total: int
    wish: str
    receipt: str


def plan(state: Everything) -> dict[str, Any]:
    """A sync node."""
    return {"total": 0}


async def fan_out(state: Everything) -> list[Send]:
    """One task for each article."""
    return [Send("look_up", {"article": article}) for article in state["articles"]]


async def look_up(part: Part) -> dict[str, Any]:
    """Runs in parallel with itself."""
    return {"prices": [await price_of.ainvoke({"article": part["article"]})]}


@activity_node
async def add_up(state: Everything) -> dict[str, Any]:
    """Runs as one activity."""
    return {"total": sum(state["prices"]), "messages": [AIMessage(f"sum {sum(state['prices'])}")]}


async def double(state: Doubled) -> dict[str, Any]:
    """The subgraph's node."""
    return {"total": state["total"] * 2}


def dear_or_cheap(state: Everything) -> Literal["ask", "settle"]:
    """A sync conditional edge."""
    return "ask" if state["total"] > 10 else "settle"


async def ask(state: Everything) -> Command[Literal["settle"]]:
    """Asks a person in the middle of a node that also calls a model."""
    answer = await model("fast").ainvoke(state["messages"])
    wish = interrupt({"question": "Shall I buy?", "total": state["total"]})
    return Command(goto="settle", update={"wish": str(wish), "messages": [answer]})


async def settle(state: Everything) -> dict[str, Any]:
    """Pays, and removes the first message."""
    receipt = await pay.ainvoke({"account": state["account"], "amount": state["total"]})
    return {"receipt": receipt, "messages": [RemoveMessage(id=str(state["messages"][0].id))]}


def everything_graph() -> StateGraph[Everything, None, Everything, Everything]:
    """Return graph (a)."""
    inner: StateGraph[Doubled, None, Doubled, Doubled] = StateGraph(Doubled)
    inner.add_node("double", double)
    inner.add_edge(START, "double")
    graph: StateGraph[Everything, None, Everything, Everything] = StateGraph(Everything)
    for node in (plan, look_up, add_up, ask, settle):
        graph.add_node(node.__name__, node)
    graph.add_node("twice", inner.compile())
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", fan_out, ["look_up"])
    graph.add_edge("look_up", "add_up")
    graph.add_edge("add_up", "twice")
    graph.add_conditional_edges("twice", dear_or_cheap, ["ask", "settle"])
    graph.add_edge("settle", END)
    return graph


def everything() -> Agent:
    """Return agent (a)."""
    return agent("everything", everything_graph, tools=[pay, price_of])


def shopper(*middleware: Any, name: str = "shopper") -> Agent:
    """Return agent (b) with some middleware."""
    return agent(
        name,
        lambda: create_agent(
            model("fast"), tools=[pay, pay_small, price_of], middleware=middleware, name=name
        ),
    )


SAID: dict[str, Any] = {
    "everything": {
        "when": "buy these",
        "steps": [{"answer": {"text": "start"}}, {"answer": {"text": "I would buy."}}],
    },
    "pay once": {
        "when": "pay once",
        "steps": [
            {
                "answer": {
                    "tool_calls": [
                        {"name": "price_of", "args": {"article": "lamp"}, "id": "c0"},
                        {"name": "pay", "args": {"account": "once", "amount": 7}, "id": "c1"},
                    ]
                }
            },
            {"expect": {"role": "tool"}, "answer": {"text": "Done."}},
        ],
    },
}
"""What a scripted model says to these agents."""
