"""What cannot run in a workflow is refused when the agent is registered, with what to use."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool as stock_tool
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import CachePolicy, RetryPolicy
from typing_extensions import TypedDict

from interlock.agents import agent
from interlock.errors import BadInput, ConfigError, UnsupportedInWorkflow
from tests.graphs import everything, shopper


class State(TypedDict):
    number: int


async def node(state: State) -> dict[str, Any]:
    """Does nothing."""
    return {}


def graph(**options: Any) -> StateGraph[State, None, State, State]:
    """One node with some LangGraph options."""
    made: StateGraph[State, None, State, State] = StateGraph(State)
    made.add_node("node", node, **options)
    made.add_edge(START, "node")
    return made


@stock_tool
def stock(text: str) -> str:
    """A stock tool."""
    return text


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: graph(retry_policy=RetryPolicy()), "'node' has a LangGraph retry_policy"),
        (lambda: graph(timeout=3.0), "'node' has a LangGraph timeout"),
        (lambda: graph(cache_policy=CachePolicy()), "'node' has a LangGraph cache_policy"),
        (lambda: graph().compile(cache=InMemoryCache()), "cache would answer a second"),
        (lambda: graph().compile(interrupt_before=["node"]), "interrupt_before"),
        (lambda: _with_tools(), "tool 'stock' is a stock LangChain tool"),
        (lambda: _with_subgraph(), "'node' has a LangGraph retry_policy"),
    ],
)
def test_unsupported_features_are_refused(made: Any, says: str) -> None:
    """The error names the agent, the thing and what to use instead."""
    with pytest.raises(UnsupportedInWorkflow, match=says):
        agent("picky", made)


def _with_tools() -> StateGraph[State, None, State, State]:
    made = graph()
    made.add_node("tools", ToolNode([stock]))
    return made


def _with_subgraph() -> StateGraph[State, None, State, State]:
    made = graph()
    made.add_node("inner", graph(retry_policy=RetryPolicy()).compile())
    return made


@pytest.mark.parametrize("name", ["", "my agent", "a/b"])
def test_bad_names_are_refused(name: str) -> None:
    """A name is part of ids and search attributes."""
    with pytest.raises(ConfigError, match="agent name"):
        agent(name, graph)


def test_something_else_is_no_graph() -> None:
    """The error says what may be given."""
    with pytest.raises(ConfigError, match="list is no graph"):
        agent("odd", list)  # type: ignore[arg-type,return-value]


def test_input_keys_and_types_are_checked() -> None:
    """An unknown key and a wrong type are named with what is allowed."""
    made = everything()
    with pytest.raises(BadInput, match=r"does not take 'artikles'.*account, articles"):
        made.read_input({"artikles": []})
    with pytest.raises(BadInput, match="articles"):
        made.read_input({"messages": ["hi"], "articles": 3})
    with pytest.raises(BadInput, match="a message is empty"):
        made.read_input("  ")
    with pytest.raises(BadInput, match="holds no message"):
        made.read_input({"messages": [{"role": "nobody", "content": "x"}]})


def test_text_needs_messages() -> None:
    """Text can only start a graph that has messages."""
    with pytest.raises(BadInput, match="does not take 'messages'"):
        agent("plain", graph).read_input("hello")


def test_release_follows_what_it_is_made_of() -> None:
    """Equal agents have one release; another policy, model or tool list gives another."""
    made, terms = shopper(), {"policy": "p1", "models": {"fast": ["m"]}}
    first = made.release(**terms)  # type: ignore[arg-type]
    assert shopper().release(**terms) == first  # type: ignore[arg-type]
    assert made.release(policy="p2", models={"fast": ["m"]}) != first
    assert made.release(policy="p1", models={"fast": ["n"]}) != first
    assert everything().release(**terms) != first  # type: ignore[arg-type]
