"""The graph as Interlock's agents: with tools that have effects, with tools that read, and a talk."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langgraph.graph import START, MessagesState, StateGraph
from typing_extensions import TypedDict

from bench.graph import Node, State, book, build, prompt
from interlock.agents import agent, model
from interlock.tools import Effect, Risk, Tool, tool


@tool(effect=Effect.EXTERNAL)
async def book_effect(topic: str, number: int) -> str:
    """Book a note. It changes the world, so each call is claimed and settled in the ledger."""
    return book(topic, number)


@tool(effect=Effect.EXTERNAL, risk=Risk.MEDIUM)
async def book_approved(topic: str, number: int) -> str:
    """Book a note once a person has agreed."""
    return book(topic, number)


@tool(effect=Effect.READ, local=True)
async def look_up(topic: str, number: int) -> str:
    """Look a note up. It only reads, so it runs as a local activity."""
    return book(topic, number)


@tool(effect=Effect.READ)
async def fetch(topic: str, number: int) -> str:
    """Look a note up as an activity on the tools' queue."""
    return book(topic, number)


@tool(effect=Effect.PURE)
async def render(topic: str, number: int) -> str:
    """Write a note out. It reads nothing and runs as a local activity."""
    return book(topic, number)


async def think(state: State) -> dict[str, Any]:
    """Ask the deployment's model."""
    answer = await model("fast").ainvoke(prompt(state["topic"], len(state["notes"])))
    return {"notes": [answer.text]}


def acting(with_tool: Tool) -> Node:
    """Return a node that calls a tool."""

    async def act(state: State) -> dict[str, Any]:
        arguments = {"topic": state["topic"], "number": len(state["notes"])}
        return {"notes": [await with_tool.ainvoke(arguments)]}

    return act


def pausing() -> StateGraph[State, None, State, State]:
    """Return the graph of a model call and a tool call that a person has to allow."""
    graph: StateGraph[State, None, State, State] = StateGraph(State)
    graph.add_sequence([("plan", think), ("book", acting(book_approved))])
    graph.add_edge(START, "plan")
    return graph


class Calls(TypedDict):
    """Which tool is called, and how often."""

    tool: str
    count: int


CALLED = {found.name: found for found in (look_up, render, fetch, book_effect)}
"""The tools whose calls are timed."""


async def call_often(state: Calls) -> dict[str, Any]:
    """Call one tool many times, one call after the other."""
    for number in range(state["count"]):
        await CALLED[state["tool"]].ainvoke({"topic": "calls", "number": number})
    return {}


def calling() -> StateGraph[Calls, None, Calls, Calls]:
    """Return a graph whose one node calls a tool."""
    graph: StateGraph[Calls, None, Calls, Calls] = StateGraph(Calls)
    graph.add_node("call", call_often)
    graph.add_edge(START, "call")
    return graph


async def reply(state: MessagesState) -> dict[str, Any]:
    """Answer the conversation."""
    return {"messages": [await model("fast").ainvoke(state["messages"])]}


def talk() -> StateGraph[MessagesState, None, MessagesState, MessagesState]:
    """Return a graph of one model call for each message."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node("reply", reply)
    graph.add_edge(START, "reply")
    return graph


def desk() -> StateGraph[MessagesState, None, MessagesState, MessagesState]:
    """Return a graph whose one node is LangChain's agent: a subgraph with a checkpoint of its own."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node("clerk", create_agent(model("fast"), name="clerk"))
    graph.add_edge(START, "clerk")
    return graph


AGENTS = [
    agent("effects", build(think, acting(book_effect)), tools=[book_effect]),
    agent("reads", build(think, acting(look_up)), tools=[look_up]),
    agent("pausing", pausing, tools=[book_approved]),
    agent("calls", calling, tools=list(CALLED.values())),
]
"""The agents of the deployment that is measured."""

TALKER = agent("talker", talk)
"""The agent of the conversation whose history is measured."""

DESK = agent("desk", desk)
"""The same with a subgraph."""
