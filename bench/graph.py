"""The graph that every system runs: model, tool, model, tool, with calls that answer at once.

The fake model and the fake tool are the same objects for every system, so that what differs is what
a system does around them.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from interlock.models.scripted import ScriptedModel

ANSWER = "The parcel left the warehouse on Tuesday and arrives on Thursday. " * 3
"""What the fake model says to everything: about as long as a short reply."""

SCRIPT: dict[str, Any] = {
    "conversations": {"any": {"pick": "match", "steps": [{"answer": {"text": ANSWER}}]}}
}
"""The fake model, as Interlock's scripted provider takes it."""

FAKE = ScriptedModel(SCRIPT)
"""The same model for the systems that call it directly."""


class State(TypedDict):
    """What the nodes pass on."""

    topic: str
    notes: Annotated[list[str], operator.add]


class Node(Protocol):
    """A node of the graph."""

    async def __call__(self, state: State) -> dict[str, Any]:
        """Return what it adds to the state."""
        ...


EFFECTS = 4
"""Model and tool calls of one run."""


def build(
    think: Node, act: Node, metadata: Mapping[str, Any] | None = None
) -> StateGraph[State, None, State, State]:
    """Return the graph of four nodes, one after the other."""
    graph: StateGraph[State, None, State, State] = StateGraph(State)
    nodes = {"plan": think, "book": act, "review": think, "confirm": act}
    for name, node in nodes.items():
        graph.add_node(name, node, metadata=dict(metadata) if metadata else None)
    for before, after in zip((START, *nodes), (*nodes, END), strict=True):
        graph.add_edge(before, after)
    return graph


def build_pausing(
    think: Node, wait: Node, act: Node, metadata: Mapping[str, Mapping[str, Any]] | None = None
) -> StateGraph[State, None, State, State]:
    """Return a graph that waits for a person between its model call and its tool call."""
    graph: StateGraph[State, None, State, State] = StateGraph(State)
    nodes = {"plan": think, "wait": wait, "book": act}
    for name, node in nodes.items():
        graph.add_node(name, node, metadata=dict(metadata[name]) if metadata else None)
    for before, after in zip((START, *nodes), (*nodes, END), strict=True):
        graph.add_edge(before, after)
    return graph


def prompt(topic: str, number: int) -> str:
    """Return what the model is asked."""
    return f"A customer asks about {topic}. This is note {number}. What do you say?"


def book(topic: str, number: int) -> str:
    """The fake tool: it only answers."""
    return f"booked note {number} of {topic}"


async def think(state: State) -> dict[str, Any]:
    """Ask the fake model directly."""
    answer = await FAKE.ainvoke(prompt(state["topic"], len(state["notes"])))
    return {"notes": [answer.text]}


async def act(state: State) -> dict[str, Any]:
    """Call the fake tool directly."""
    return {"notes": [book(state["topic"], len(state["notes"]))]}


async def wait(state: State) -> dict[str, Any]:
    """Wait for a person, as LangGraph does it."""
    interrupt(f"May I book {state['topic']}?")
    return {"notes": []}


def check(notes: list[str], topic: str) -> None:
    """Make sure that a run did what it should.

    Raises:
        AssertionError: it did something else.
    """
    assert notes == [ANSWER, book(topic, 1), ANSWER, book(topic, 3)], notes


def check_paused(notes: list[str], topic: str) -> None:
    """Make sure that a run that was paused did what it should.

    Raises:
        AssertionError: it did something else.
    """
    assert notes == [ANSWER, book(topic, 1)], notes
