"""An id that a node draws is the same in a replay, however its module imported the function."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from interlock.agents.loading import load_runtime
from interlock.settings import Settings
from interlock.testing import WorkerEnv, worker_env
from tests.graphs import PAID

NAME = f"drawing_{uuid.uuid4().hex}"
"""A module that nobody has imported."""

MODULE = """
from dataclasses import dataclass, field
from typing import TypedDict
from uuid import UUID, uuid1, uuid4

from langchain_core.messages.content import create_text_block
from langchain_core.utils.uuid import uuid7
from langgraph.graph import START, StateGraph

from interlock.agents import agent
from tests.graphs import pay


@dataclass
class Label:
    id: UUID = field(default_factory=uuid4)


class State(TypedDict):
    amount: int
    account: str


async def labels(state: State, draw=uuid4) -> dict:
    drawn = [uuid4(), draw(), Label().id, uuid1(), uuid7(), create_text_block("x")["id"]]
    return {"account": " ".join(map(str, drawn))}


async def pays(state: State) -> dict:
    await pay.ainvoke({"account": state["account"], "amount": state["amount"]})
    return {}


graph = StateGraph(State)
graph.add_node("labels", labels)
graph.add_node("pays", pays)
graph.add_edge(START, "labels")
graph.add_edge("labels", "pays")
drawing = agent("drawing", graph, tools=[pay])
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the module; nothing of it stays loaded."""
    folder = tmp_path_factory.mktemp("project")
    (folder / f"{NAME}.py").write_text(MODULE, encoding="utf-8")
    path = list(sys.path)
    yield folder
    sys.path[:] = path
    sys.modules.pop(NAME, None)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, project: Path) -> AsyncIterator[WorkerEnv]:
    """A deployment that names the agent of the module."""
    named = Settings(project_dir=project, agents=[f"{NAME}:drawing"])
    agents = list(load_runtime(named).agents.values())
    async with worker_env(server, project, agents=agents) as running:  # type: ignore[arg-type]
        yield running


async def test_ids_in_an_approved_action_are_equal_in_a_replay(env: WorkerEnv) -> None:
    """The decision is about the drawn ids: with others it would not count, and nothing be paid."""
    handle = await env.start("drawing", {"amount": 5})
    (request,) = await env.pending(handle)
    await env.decide(handle, request, "approve")
    account = (await env.result(handle)).output["account"]
    assert len(set(account.split())) == 6
    assert PAID[account] == [5]
    await env.replay(handle)
