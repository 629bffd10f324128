"""The graph under `temporalio-langgraph`: each node is an activity that takes the whole state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.types import Command
    from temporalio.langgraph import LangGraphPlugin, graph

    from bench.graph import State, act, build, build_pausing, think, wait

NAME = "bench"
PAUSING = "pausing"


@workflow.defn(name="Plugin")
class Plugin:
    """Runs the graph as the package's documentation shows."""

    @workflow.run
    async def run(self, state: State) -> dict[str, Any]:
        """Return the final state."""
        return await graph(NAME).compile().ainvoke(state)


@workflow.defn(name="PluginPausing")
class PluginPausing:
    """Runs the graph up to its interrupt, waits for a signal, and resumes it."""

    def __init__(self) -> None:
        self._goes = False

    @workflow.run
    async def run(self, state: State) -> dict[str, Any]:
        """Return the final state."""
        compiled = graph(PAUSING).compile(checkpointer=InMemorySaver())
        config: Any = {"configurable": {"thread_id": workflow.info().workflow_id}}
        await compiled.ainvoke(state, config)
        await workflow.wait_condition(lambda: self._goes)
        return await compiled.ainvoke(Command(resume=True), config)

    @workflow.signal
    def go(self) -> None:
        """Let it go on."""
        self._goes = True


def plugin() -> LangGraphPlugin:
    """Return the worker's plugin with both graphs."""
    called = {"execute_in": "activity", "start_to_close_timeout": timedelta(seconds=60)}
    inline = {"execute_in": "workflow"}
    pausing = build_pausing(think, wait, act, {"plan": called, "wait": inline, "book": called})
    return LangGraphPlugin(graphs={NAME: build(think, act, called), PAUSING: pausing})
