"""The graph under `temporalio-langgraph`: each node is an activity that takes the whole state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.langgraph import LangGraphPlugin, graph

    from bench.graph import State, act, build, think

NAME = "bench"


@workflow.defn(name="Plugin")
class Plugin:
    """Runs the graph as the package's documentation shows."""

    @workflow.run
    async def run(self, state: State) -> dict[str, Any]:
        """Return the final state."""
        return await graph(NAME).compile().ainvoke(state)


def plugin() -> LangGraphPlugin:
    """Return the worker's plugin with the graph."""
    options = {"execute_in": "activity", "start_to_close_timeout": timedelta(seconds=60)}
    return LangGraphPlugin(graphs={NAME: build(think, act, options)})
