"""Agents and tools that do what the bad-input tests need, each once and on demand."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt
from typing_extensions import TypedDict

from interlock.agents import Agent, agent, model
from interlock.tools import Effect, tool

CALLS: Counter[str] = Counter()
"""How often each tool was called for an account: the outside world of these tests."""


@tool(effect=Effect.EXTERNAL)
async def write(account: str, size: int) -> str:
    """Change the world and return a text of some size."""
    CALLS[account] += 1
    return "x" * size


@tool(effect=Effect.READ)
async def read(account: str, text: str) -> int:
    """Return the length of a text."""
    CALLS[account] += 1
    return len(text)


@tool(effect=Effect.EXTERNAL)
async def promise(account: str) -> int:
    """Promise a number and return something else."""
    CALLS[account] += 1
    return "three"  # type: ignore[return-value]  # the mistake that is tested


class Task(TypedDict):
    """What the worker is told to do."""

    do: str
    account: str
    size: int
    text: str
    done: str


async def act(state: Task) -> dict[str, Any]:
    """One of several things."""
    account, size = state["account"], state["size"]
    match state["do"]:
        case "write":
            return {"done": str(len(await write.ainvoke({"account": account, "size": size})))}
        case "promise":
            return {"done": str(await promise.ainvoke({"account": account}))}
        case "fan out":
            call = {"account": account, "text": "t" * size}
            await asyncio.gather(*(read.ainvoke(call) for _ in range(60)))
        case "fill":
            return {"text": "t" * size}
        case "raise":
            raise KeyError("k" * size)
    return {}


class Talk(TypedDict):
    """A conversation that keeps something big beside its messages."""

    messages: Annotated[list[AnyMessage], add_messages]
    ballast: str


async def answer(state: Talk) -> dict[str, Any]:
    """Answer with the size of the ballast."""
    ballast = state.get("ballast") or str(state["messages"][0].text)
    return {"messages": [AIMessage(f"still {len(ballast)}")], "ballast": ballast}


async def ask(state: MessagesState) -> dict[str, Any]:
    """Wait for a person."""
    return {"messages": [AIMessage(str(interrupt("May I?")))]}


def node_of(role: str) -> Any:
    """A node that calls the model of a role."""

    async def call(state: MessagesState) -> dict[str, Any]:
        """Answers with the model."""
        return {"messages": [await model(role).ainvoke(state["messages"])]}

    return call


def one_node(name: str, state: Any, node: Any, **options: Any) -> Agent:
    """An agent of one node."""
    graph: Any = StateGraph(state)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    return agent(name, graph, **options)


def chooser() -> Agent:
    """An agent whose model chooses the tools."""
    return agent("chooser", lambda: create_agent(model("fast"), tools=[read], name="chooser"))


def agents() -> list[Agent]:
    """All agents of the deployment."""
    return [
        one_node("worker", Task, act, tools=[write, read, promise]),
        one_node("talker", Talk, answer),
        one_node("asker", MessagesState, ask),
        chooser(),
        *(one_node(role, MessagesState, node_of(role)) for role in ("big", UNMAPPED, *ROLES)),
    ]


def _only(candidate: str) -> dict[str, Any]:
    return {"candidates": [{"model": candidate}]}


ROLES = {
    "keyless": _only("openai:gpt-5-mini"),
    "fileless": _only("local:smollm2-135m"),
    "corrupt": _only("local:qwen2.5-coder-1.5b"),
    "libraryless": _only("mistralai:mistral-small"),
}
"""Models that cannot answer."""

UNMAPPED = "unmapped"
"""A role that an agent asks for and the deployment does not configure."""

LIBRARY = "langchain_mistralai"
"""The library of the model of `libraryless`."""

SCRIPTED = _only("scripted:script.json")


def _calls(name: str, args: dict[str, Any] | str) -> list[dict[str, Any]]:
    return [{"answer": {"tool_calls": [{"name": name, "args": args}]}}]


SCRIPT = {
    "conversations": {
        "wrong type": {
            "when": "wrong type",
            "steps": [
                {
                    "answer": {
                        "tool_calls": [
                            {"name": "read", "args": {"account": "a", "text": [1]}, "id": "r1"}
                        ]
                    }
                },
                {"expect": {"role": "tool", "text": "do not fit"}, "answer": {"text": "Sorry."}},
            ],
        },
        "unknown tool": {
            "when": "unknown tool",
            "pick": "match",
            "steps": _calls("fly", {}),
        },
        "no JSON": {"when": "no JSON", "pick": "match", "steps": _calls("read", '{"account": "j')},
        "big": {"when": "big", "steps": [{"answer": {"text": "m" * 3_000_000}}]},
    }
}
"""What the scripted model says."""
