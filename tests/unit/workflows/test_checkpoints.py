"""A run's checkpoint is kept small and can be carried whole."""

from __future__ import annotations

import json
import operator
from typing import Annotated, Any

from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from interlock.workflows.checkpoints import RunSaver

CALLS: list[str] = []


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


async def test_a_pending_interrupt_survives_being_carried() -> None:
    """The interrupt keeps its id and the finished sibling does not run again."""
    CALLS.clear()
    config: Any = {"configurable": {"thread_id": "run"}}
    saver = RunSaver()
    stopped = await graph().compile(checkpointer=saver).ainvoke({"log": []}, config)
    before = stopped["__interrupt__"][0].id
    carried = json.loads(json.dumps(saver.snapshot("run")))
    other = RunSaver()
    other.restore("run", carried)
    resumed = graph().compile(checkpointer=other)
    again = await resumed.aget_state(config)
    assert [item.id for task in again.tasks for item in task.interrupts] == [before]
    values = await resumed.ainvoke(Command(resume={before: "yes"}), config)
    assert sorted(values["log"]) == ["asked:yes", "beside", "first", "last"]
    assert values["messages"] == [HumanMessage("hi", id="h1")]
    assert CALLS.count("beside") == 1


async def test_only_the_newest_checkpoint_is_kept() -> None:
    """A long conversation does not grow the saver with the square of its length."""
    config: Any = {"configurable": {"thread_id": "run"}}
    saver = RunSaver()
    app = graph().compile(checkpointer=saver)
    await app.ainvoke({"log": []}, config)
    for _ in range(5):
        await app.ainvoke(Command(resume="yes"), config)
        await app.ainvoke({"log": ["again"]}, config)
    assert len(saver.storage["run"][""]) == 1
    channels = [blob[2] for blob in saver.blobs]
    assert len(channels) == len(set(channels))
