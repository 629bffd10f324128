"""One run that uses every door: what each answers, and what Temporal's UI shows of it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import interrupt
from temporalio.client import Client
from typing_extensions import TypedDict

from interlock.agents import Agent, activity_node, agent, model
from interlock.context import CallContext
from interlock.memory import Get, MemoryItem, Put
from interlock.replay.commands import Command, recorded
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.tools import Effect, tool
from tests.graphs import PAID, pay, pay_small, price_of


@tool(effect=Effect.READ, throttle="50/s")
async def weather(place: str) -> str:
    """Look out of the window."""
    return f"rain in {place}"


class Doors(TypedDict):
    account: str
    remembered: dict[str, Any]
    seen: list[Any]
    shelves: int


async def remember(state: Doors, *, store: BaseStore) -> dict[str, Any]:
    """Writes, reads, finds, lists and deletes."""
    shop, note = ("shop", state["account"]), ("notes", state["account"])
    await store.aput(shop, "lamp", {"colour": "red", "price": 4})
    await store.aput(shop, "rug", {"colour": "blue", "price": 30})
    await store.aput(shop, "vase", {"colour": "red", "price": 50})
    await store.aput(note, "n1", {"text": "likes red"}, index=False)
    lamp = await store.aget(shop, "lamp")
    red = await store.asearch(shop, filter={"colour": "red"})
    dear = await store.asearch(shop, filter={"colour": "red", "price": {"$gt": 10}})
    near = await store.asearch(shop, query="blue", limit=1)
    spaces = await store.alist_namespaces(suffix=(state["account"],))
    await store.adelete(shop, "lamp")
    return {
        "remembered": {
            "lamp": lamp.value if lamp else None,
            "red": sorted(item.key for item in red),
            "dear": [(item.key, item.value) for item in dear],
            "near": [(item.key, item.score is not None) for item in near],
            "spaces": sorted(spaces),
            "gone": await store.aget(shop, "lamp"),
            "left": sorted(item.key for item in await store.asearch(shop)),
        }
    }


async def use(state: Doors) -> dict[str, Any]:
    """Calls a model and tools of every kind, and asks a person."""
    answer = await model("fast").ainvoke("talk")
    order = {"account": state["account"], "amount": 2}
    seen = [
        answer.text,
        await price_of.ainvoke({"article": "lamp"}),
        await weather.ainvoke({"place": "Sligo"}),
        await pay_small.ainvoke(order),
        await pay.ainvoke(order),
    ]
    return {"seen": [*seen, interrupt("all well?")]}


@activity_node
async def count_shelves(state: Doors) -> dict[str, Any]:
    """Runs as one activity."""
    return {"shelves": len(state["remembered"])}


def every_door() -> Agent:
    """An agent with one node for each way to the outside."""
    graph: StateGraph[Doors, None, Doors, Doors] = StateGraph(Doors)
    graph.add_sequence([remember, use, count_shelves])
    graph.add_edge(START, "remember")
    return agent("every_door", graph, tools=[pay, pay_small, price_of, weather])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment of it."""
    script = {"conversations": {"talk": {"steps": [{"answer": {"text": "hello"}}]}}}
    folder = tmp_path_factory.mktemp("doors")
    async with worker_env(server, folder, agents=[every_door()], script=script) as running:
        yield running


class Finished(NamedTuple):
    """A run that is over."""

    handle: Handle
    output: dict[str, Any]
    commands: list[Command]
    """What it asked of Temporal, as its history has it."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run(env: WorkerEnv) -> Finished:
    """A run in which a person approved and answered."""
    handle = await env.start("every_door", {"account": uuid.uuid4().hex})
    (action,) = await env.pending(handle)
    await env.decide(handle, action, "approve")
    (question,) = await env.pending(handle)
    await env.decide(handle, question, "respond", result="yes")
    output = (await env.result(handle)).output
    return Finished(handle, output, recorded((await handle.fetch_history()).events))


async def test_each_door_answers(env: WorkerEnv, run: Finished) -> None:
    """Model, tools on every kind of queue, people and an activity node, in one run that replays."""
    assert run.output["seen"] == ["hello", 4, "rain in Sligo", "paid 2", "paid 2", "yes"]
    assert run.output["shelves"] == 7
    assert PAID[run.output["account"]] == [2, 2]
    await env.replay(run.handle)


async def test_a_node_remembers(env: WorkerEnv, run: Finished) -> None:
    """The store of a node is Chroma: what it put is found by key, filter and text, and deleted."""
    account = run.output["account"]
    assert run.output["remembered"] == {
        "lamp": {"colour": "red", "price": 4},
        "red": ["lamp", "vase"],
        "dear": [["vase", {"colour": "red", "price": 50}]],
        "near": [["rug", True]],
        "spaces": [["notes", account], ["shop", account]],
        "gone": None,
        "left": ["rug", "vase"],
    }
    memory = env.app.memory.bound(CallContext(agent="tester"))
    shop = ("shop", account)
    stored = Get(namespace=shop, key="rug"), Get(namespace=shop, key="lamp")
    rug, lamp = (await memory.run_ops(stored)).answers
    assert isinstance(rug, MemoryItem)
    assert (rug.value, lamp) == ({"colour": "blue", "price": 30}, None)
    calls = Counter(
        (command.call.summary.split()[1], command.is_local)
        for command in run.commands
        if command.call and command.call.name == "memory.batch"
    )
    assert calls == {("put", False): 5, ("get", True): 2, ("search", True): 4, ("list", True): 1}


async def test_a_replay_asks_no_memory(env: WorkerEnv, run: Finished) -> None:
    """What the node read is in the history: the run replays although it would read something else."""
    shop = ("shop", run.output["account"])
    memory = env.app.memory.bound(CallContext(agent="tester"))
    await memory.run_ops((Put(namespace=shop, key="rug", value={"colour": "red"}),))
    await env.replay(run.handle)


async def test_every_command_is_named_for_people(run: Finished) -> None:
    """Temporal's UI has a summary of each activity, local or not, and of each timer."""
    calls = [command.call for command in run.commands if command.call]
    remote = {call.name for call in calls if not call.local}
    assert remote == {"memory.batch", "model.call", "tool.call", "node.count_shelves"}
    local = {call.name for call in calls if call.local}
    assert local == {"run.open", "policy.judge", "memory.batch", "tool.call", "audit.record"}
    summaries = {call.summary for call in calls}
    assert summaries == {
        "open the run",
        *(f"memory {op} [remember]" for op in ("put", "get", "search", "list")),
        "model fast [use]",
        *(f"verdict on {name}" for name in ("weather", "pay")),
        *(f"tool {name} [use]" for name in ("price_of", "weather", "pay_small", "pay")),
        "node count_shelves",
        "audit",
    }
    timers = [command.name for command in run.commands if command.kind == "timer"]
    assert timers == ["deadline of pay", "deadline of question"]
