"""What `interlock.toml` names is loaded once, by name, and refused in clear words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.agents.loading import graph_modules, load_runtime, load_workflows, sandbox
from interlock.errors import ConfigError
from interlock.settings import Settings

MODULE = '''
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from temporalio import workflow
from interlock.agents import agent
from interlock.tools import Effect, tool

@tool(effect=Effect.PURE)
def add(a: int, b: int) -> int:
    """Add."""
    return a + b

class State(TypedDict):
    total: int

def same(state: State) -> State:
    return state

def graph():
    made = StateGraph(State)
    made.add_node("same", same)
    made.add_edge(START, "same")
    made.add_edge("same", END)
    return made

adder = agent("adder", graph, tools=[add])
agents = [adder]
other = agent("adder", graph)

@tool(effect=Effect.PURE, name="add")
def add_again(a: int) -> int:
    """Add."""
    return a

@workflow.defn
class Case:
    @workflow.run
    async def run(self) -> None: ...

class Plain: ...
'''


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project folder with one module; nothing of it stays loaded."""
    (tmp_path / "deployed.py").write_text(MODULE, encoding="utf-8")
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("deployed", None)


def settings(project: Path, **names: list[str]) -> Settings:
    """Settings that name things of the module."""
    return Settings(
        project_dir=project,
        **{key: [f"deployed:{name}" for name in value] for key, value in names.items()},
    )


def test_agents_and_tools_are_found_in_the_project_folder(project: Path) -> None:
    """An agent brings its tools along; naming the same one again is no conflict."""
    runtime = load_runtime(settings(project, agents=["agents", "adder"], tools=["add"]))
    assert sorted(runtime.agents) == ["adder"]
    assert sorted(runtime.tools) == ["add"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"agents": ["adder", "other"]}, "two agents are named 'adder'"),
        ({"tools": ["add", "add_again"]}, "two tools are named 'add'"),
        ({"agents": ["add"]}, "'agents' names a Tool"),
        ({"tools": ["adder"]}, "'tools' names a Agent"),
        ({"agents": ["missing"]}, "no attribute 'missing'"),
    ],
)
def test_what_cannot_be_loaded_is_named(
    project: Path, names: dict[str, list[str]], told: str
) -> None:
    """The error says which of the two lists, and which name."""
    with pytest.raises(ConfigError, match=told):
        load_runtime(settings(project, **names))


def test_workflows_are_workflow_classes(project: Path) -> None:
    """A class without the decorator and an instance of something else are refused."""
    (found,) = load_workflows(settings(project, workflows=["Case"]))
    assert found.__name__ == "Case"
    for name in ("Plain", "adder"):
        with pytest.raises(ConfigError, match=rf"'deployed:{name}', which is no workflow"):
            load_workflows(settings(project, workflows=[name]))


def test_the_sandbox_passes_graph_modules_through(project: Path) -> None:
    """Agents and tools are loaded once; the deployment's workflows are not among them."""
    made = Settings(
        project_dir=project,
        agents=["shop.agents.support:agent"],
        tools=["gear:TOOLS"],
        workflows=["cases.support:Case"],
    )
    assert graph_modules(made) == ("gear", "shop")
    passed = sandbox(made).restrictions.passthrough_modules
    assert {"gear", "shop", "langgraph"} <= passed
    assert "cases" not in passed
