"""A run's checkpoint is kept small and can be carried whole."""

from __future__ import annotations

import json
import operator
from typing import Annotated, Any

from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt
from temporalio.contrib.pydantic import pydantic_data_converter
from typing_extensions import TypedDict

from interlock.codec import encode
from interlock.workflows.checkpoints import RunSaver

CALLS: list[str] = []
CONFIG: Any = {"configurable": {"thread_id": "run"}}


class State(TypedDict):
    log: Annotated[list[str], operator.add]
    messages: Annotated[list[AnyMessage], add_messages]


async def first(state: State) -> dict[str, Any]:
    """Adds a message."""
    CALLS.append("first")
    return {"log": ["first"], "messages": [HumanMessage("hi", id="h1")]}


async def asks(state: State) -> dict[str, Any]:
    """Stops for a person."""
    CALLS.append("asks")
    return {"log": [f"asked:{interrupt({'q': 1})}"]}


async def beside(state: State) -> dict[str, Any]:
    """Finishes while its sibling waits."""
    CALLS.append("beside")
    return {"log": ["beside"]}


async def last(state: State) -> dict[str, Any]:
    """Joins."""
    CALLS.append("last")
    return {"log": ["last"]}


def graph() -> StateGraph[State, None, State, State]:
    """Two parallel nodes, one of which stops."""
    made: StateGraph[State, None, State, State] = StateGraph(State)
    for node in (first, asks, beside, last):
        made.add_node(node.__name__, node)
    made.add_edge(START, "first")
    made.add_edge("first", "asks")
    made.add_edge("first", "beside")
    made.add_edge(["asks", "beside"], "last")
    return made


def carried(saver: RunSaver) -> RunSaver:
    """A saver that got what another one had, as one run gets it from the one before."""
    converter = pydantic_data_converter.payload_converter
    (snapshot,) = converter.from_payloads(converter.to_payloads([saver.snapshot()]))
    other = RunSaver()
    other.restore(snapshot)
    return other


def size_of(value: object) -> int:
    """Bytes as JSON."""
    return len(json.dumps(encode(value)))


async def test_a_pending_interrupt_survives_being_carried() -> None:
    """The interrupt keeps its id and the finished sibling does not run again."""
    CALLS.clear()
    saver = RunSaver()
    stopped = await graph().compile(checkpointer=saver).ainvoke({"log": []}, CONFIG)
    before = stopped["__interrupt__"][0].id
    other = carried(saver)
    resumed = graph().compile(checkpointer=other)
    again = await resumed.aget_state(CONFIG)
    assert [item.id for task in again.tasks for item in task.interrupts] == [before]
    values = await resumed.ainvoke(Command(resume={before: "yes"}), CONFIG)
    assert sorted(values["log"]) == ["asked:yes", "beside", "first", "last"]
    assert values["messages"] == [HumanMessage("hi", id="h1")]
    assert CALLS.count("beside") == 1


async def test_only_the_newest_checkpoint_is_kept() -> None:
    """A long conversation costs its state and no more the longer it gets."""
    saver = RunSaver()
    app = graph().compile(checkpointer=saver)
    beside_state = []
    for _ in range(5):
        await app.ainvoke({"log": ["again"]}, CONFIG)
        await app.ainvoke(Command(resume="yes"), CONFIG)
        state = (await app.aget_state(CONFIG)).values
        beside_state.append(size_of(saver.snapshot()) - size_of(state))
    assert list(saver.snapshot()) == [""]
    assert max(beside_state[1:]) - min(beside_state[1:]) < 20, beside_state


async def test_supersteps_are_those_of_nodes_that_are_over() -> None:
    """Reading the input is none, nor is one in which a node waits beside another that is done."""
    saver = RunSaver()
    app = graph().compile(checkpointer=saver)
    await app.ainvoke({"log": []}, CONFIG)
    assert saver.supersteps == 1
    await app.ainvoke(Command(resume="yes"), CONFIG)
    assert saver.supersteps == 3
    await app.ainvoke({"log": []}, CONFIG)
    assert saver.supersteps == 4
