"""A module that imported a function for ids before it had its stand-in is refused by name."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from interlock.agents import agent
from interlock.agents.loading import load_runtime
from interlock.errors import ConfigError
from interlock.settings import Settings

REAL: Any = uuid.uuid4.__wrapped__  # type: ignore[attr-defined]


class State(TypedDict):
    label: str


EARLY = """
from uuid import uuid4
from langgraph.graph import START, StateGraph
from interlock.agents import agent

class State(dict):
    pass

def labels(state: State) -> dict:
    return {"label": str(uuid4())}

def make():
    graph = StateGraph(State)
    graph.add_node("labels", labels)
    graph.add_edge(START, "labels")
    return agent("labels", graph)
"""

BEFORE_AND_AFTER = """
import sys

def make():
    import early
    try:
        return early.make().name
    except Exception as error:
        return f"{type(error).__name__} {error}"

print(make())
del sys.modules["early"]
print(make())
"""


def run(code: str, folder: Path) -> str:
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        check=True,
        text=True,
        cwd=folder,
    )
    return done.stdout.strip()


def test_an_import_before_interlock_is_refused_and_one_after_is_fine(tmp_path: Path) -> None:
    """In a process of its own, where the order of imports is what the program says."""
    (tmp_path / "early.py").write_text(EARLY, encoding="utf-8")
    before, after = run(BEFORE_AND_AFTER, tmp_path).splitlines()
    assert before.startswith("ConfigError module 'early' imported 'uuid4' before Interlock")
    assert "Write 'import uuid' and call 'uuid.uuid4()'" in before
    assert after == "labels"


@pytest.fixture
def package() -> Iterator[Callable[..., ModuleType]]:
    """Makes modules of a package `acme`, each with some globals."""
    made: list[str] = []

    def make(name: str, code: str = "", **names: Any) -> ModuleType:
        module = sys.modules[f"acme.{name}"] = ModuleType(f"acme.{name}")
        made.append(module.__name__)
        vars(module).update(names)
        exec(code, vars(module))
        return module

    yield make
    for name in made:
        del sys.modules[name]


NODE = "async def node(state): return {}"


def graph(node: Any, route: Any = None) -> StateGraph[State, None, State, State]:
    """One node, and maybe a function that decides what comes next."""
    made: StateGraph[State, None, State, State] = StateGraph(State)
    made.add_node("node", node)
    made.add_edge(START, "node")
    if route is not None:
        made.add_conditional_edges("node", route, ["node"])
    return made


def test_modules_that_a_graph_reaches_are_checked(package: Callable[..., ModuleType]) -> None:
    """The module of a node, of an edge, of a subgraph's node, and what they import from beside them."""
    fine = package("fine", NODE)
    agent("fine", graph(fine.node))
    early = package("early", NODE, new_id=REAL)
    helped = package("helped", NODE, help=early.node)
    imports = package("imports", NODE, early=early)
    for made in (
        graph(early.node),
        graph(fine.node, early.node),
        graph(graph(early.node).compile()),
        graph(helped.node),
        graph(imports.node),
    ):
        with pytest.raises(ConfigError, match=r"module 'acme\.early' imported 'new_id' before"):
            agent("picky", made)


def test_modules_that_are_named_are_checked(package: Callable[..., ModuleType]) -> None:
    """The module of an agent that `interlock.toml` names, though its nodes are LangChain's."""
    fine = package("fine", NODE)
    package("named", new_id=REAL, found=agent("fine", graph(fine.node)))
    with pytest.raises(ConfigError, match=r"module 'acme\.named' imported 'new_id' before"):
        load_runtime(Settings(agents=["acme.named:found"]))


def test_other_modules_of_the_program_are_left_alone(package: Callable[..., ModuleType]) -> None:
    """A module that no graph reaches may draw what it likes."""
    package("elsewhere", new_id=REAL)
    assert agent("fine", graph(package("fine", NODE).node)).name == "fine"
