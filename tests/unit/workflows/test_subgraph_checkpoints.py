"""What a subgraph leaves behind: nothing when its call is over, all of it while it is needed."""

from __future__ import annotations

import operator
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from interlock.errors import NotSerializable
from interlock.workflows.checkpoints import RunSaver
from tests.unit.workflows.test_checkpoints import CONFIG, carried, size_of

CALLS: list[str] = []


class State(TypedDict):
    log: Annotated[list[str], operator.add]


def line(*nodes: tuple[str, Any], **options: Any) -> Any:
    """A graph of nodes one after the other."""
    made: StateGraph[State, None, State, State] = StateGraph(State)
    before = START
    for name, node in nodes:
        made.add_node(name, node)
        made.add_edge(before, name)
        before = name
    return made.compile(**options)


def says(text: str) -> Any:
    """A node that adds a line."""

    async def node(state: State) -> dict[str, Any]:
        CALLS.append(text)
        return {"log": [text]}

    return node


async def asks(state: State) -> dict[str, Any]:
    """Stops for a person."""
    CALLS.append("asks")
    return {"log": [f"asked:{interrupt({'q': 1})}"]}


def talker() -> Any:
    """LangChain's agent as a node of a graph of messages."""

    class Talk(TypedDict):
        messages: Annotated[list[AnyMessage], add_messages]

    agent = create_agent(FakeListChatModel(responses=["It is on its way. " * 60]))
    made: StateGraph[Talk, None, Talk, Talk] = StateGraph(Talk)
    made.add_node("agent", agent)
    made.add_edge(START, "agent")
    return made


async def test_a_conversation_with_a_subgraph_carries_its_state_once() -> None:
    """After 20 turns of 1 KB the snapshot is the state and a little, and no copy of each turn's."""
    saver = RunSaver()
    app = talker().compile(checkpointer=saver)
    for turn in range(20):
        await app.ainvoke({"messages": [HumanMessage("Where is it? " * 80, id=str(turn))]}, CONFIG)
    state = await app.aget_state(CONFIG)
    assert len(state.values["messages"]) == 40
    snapshot = saver.snapshot()
    assert list(snapshot) == [""]
    assert size_of(snapshot) <= size_of(state.values) + 2000


async def test_calls_inside_calls_are_forgotten_with_them() -> None:
    """Nested subgraphs, and two that one node calls by itself, leave nothing after the turn."""
    inner = line(("leaf", says("leaf")))
    seen: list[set[str]] = []
    saver = RunSaver()

    async def calls(state: State) -> dict[str, Any]:
        await inner.ainvoke({"log": []})
        await inner.ainvoke({"log": []})
        seen.append({name.partition(":")[0] for name in saver.snapshot()})
        return {"log": ["calls"]}

    app = line(("nested", line(("mid", inner))), ("calls", calls), checkpointer=saver)
    await app.ainvoke({"log": ["in"]}, CONFIG, durability="sync")
    assert seen == [{"", "calls"}]
    assert list(saver.snapshot()) == [""]


async def test_a_waiting_subgraph_is_kept_while_its_sibling_is_done() -> None:
    """Carried and answered, it goes on where it stopped; the sibling does not run again."""
    CALLS.clear()
    waiting = line(("before", says("before")), ("asks", asks), ("after", says("after")))
    made: StateGraph[State, None, State, State] = StateGraph(State)
    made.add_node("waiting", line(("deeper", waiting)))
    made.add_node("done", line(("leaf", says("leaf"))))
    for name in ("waiting", "done"):
        made.add_edge(START, name)
    saver = RunSaver()
    await made.compile(checkpointer=saver).ainvoke({"log": []}, CONFIG, durability="sync")
    assert sum(name.startswith("waiting:") for name in saver.snapshot()) == 2
    assert saver.has_interrupts()

    other = carried(saver)
    app = made.compile(checkpointer=other)
    state = await app.aget_state(CONFIG, subgraphs=True)
    (found,) = [item for task in state.tasks for item in task.interrupts]
    values = await app.ainvoke(Command(resume={found.id: "yes"}), CONFIG, durability="sync")
    assert sorted(values["log"]) == ["after", "asked:yes", "before", "leaf"]
    assert sorted(CALLS) == ["after", "asks", "asks", "before", "leaf"]
    assert list(other.snapshot()) == [""]
    assert not other.has_interrupts()


class Counted(State):
    own: Annotated[list[int], operator.add]


async def count(state: Counted) -> dict[str, Any]:
    """Adds how often it ran before, as far as its graph knows."""
    return {"own": [len(state["own"])]}


async def test_a_subgraph_that_keeps_its_state_is_carried() -> None:
    """With `checkpointer=True` it goes on turn by turn, also in another run; its calls are forgotten."""
    made: StateGraph[Counted, None, Counted, Counted] = StateGraph(Counted)
    made.add_node("count", count)
    made.add_node("mid", line(("leaf", says("leaf"))))
    made.add_edge(START, "count")
    made.add_edge("count", "mid")
    own = made.compile(checkpointer=True)
    saver = RunSaver()
    for turn in range(4):
        app = line(("own", own), ("outer", line(("own", own))), checkpointer=saver)
        await app.ainvoke({"log": ["in"]}, CONFIG, durability="sync")
        snapshot = saver.snapshot()
        assert list(snapshot) == ["", "outer|own", "own"]
        for name in ("own", "outer|own"):
            counted = snapshot[name]["checkpoint"]["channel_values"]["own"]
            assert counted == list(range(turn + 1))
        saver = carried(saver)


async def test_a_value_that_cannot_be_kept_is_refused_when_it_is_written() -> None:
    """Not when the run is carried: the error names the key of the state and the place in it."""
    ran: list[str] = []

    async def bad(state: State) -> dict[str, Any]:
        return {"log": ["fine", lambda: None]}

    async def later(state: State) -> dict[str, Any]:
        ran.append("later")
        return {}

    app = line(("bad", bad), ("later", later), checkpointer=RunSaver())
    with pytest.raises(NotSerializable, match=r"^state\['log'\]\[1\]: a function cannot cross"):
        await app.ainvoke({"log": []}, CONFIG, durability="sync")
    assert ran == []


async def test_a_write_that_cannot_be_kept_is_refused_though_the_state_can() -> None:
    """A node whose generator a reducer would count fails before the next node runs."""
    ran: list[str] = []

    class Counting(TypedDict):
        count: Annotated[int, lambda so_far, items: so_far + len(list(items))]

    async def counts(state: Counting) -> dict[str, Any]:
        return {"count": (item for item in "abc")}

    async def later(state: Counting) -> dict[str, Any]:
        ran.append("later")
        return {}

    made: StateGraph[Counting, None, Counting, Counting] = StateGraph(Counting)
    made.add_node("counts", counts)
    made.add_node("later", later)
    made.add_edge(START, "counts")
    made.add_edge("counts", "later")
    app = made.compile(checkpointer=RunSaver())
    with pytest.raises(NotSerializable, match=r"^state\['count'\]: a generator cannot cross"):
        await app.ainvoke({"count": []}, CONFIG, durability="sync")
    assert ran == []


async def test_the_state_keeps_its_types_between_turns() -> None:
    """A tuple is no list after a turn, which LangGraph's own serializer makes of it."""

    class Typed(TypedDict):
        place: Any
        turn: int

    seen: list[Any] = []

    async def node(state: Typed) -> dict[str, Any]:
        seen.append(state.get("place"))
        return {"place": ("a", {"b"})}

    made: StateGraph[Typed, None, Typed, Typed] = StateGraph(Typed)
    made.add_node("node", node)
    made.add_edge(START, "node")
    app = made.compile(checkpointer=RunSaver())
    for turn in range(2):
        await app.ainvoke({"turn": turn}, CONFIG)
    assert seen == [None, ("a", {"b"})]
