"""What a workflow finds in its worker: the agents and tools, without their I/O.

The worker, or the replayer, hands it in as an extern function of the workflow (see `interceptor`),
so two deployments can live in one process and nothing is global.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot
from temporalio import workflow
from temporalio.worker import (
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from interlock.errors import UnknownAgent
from interlock.tools.definition import Tool

_NAME = "interlock_runtime"


class HostedAgent(Protocol):
    """An agent as the host needs it."""

    @property
    def name(self) -> str:
        """Name of the agent."""
        ...

    @property
    def graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The compiled graph, without a checkpointer."""
        ...

    def read_input(self, value: str | dict[str, Any]) -> dict[str, Any]:
        """Turn a run's input into the graph's.

        Raises:
            BadInput: it has another shape.
        """
        ...

    def write_output(self, values: Any) -> dict[str, Any]:
        """Turn the final state into plain JSON."""
        ...


Observer = Callable[[int, StateSnapshot], None]
"""Called after every superstep with its number and the state; set by the replay debugger."""


class Runtime:
    """Agents and tools of one deployment, by name."""

    def __init__(
        self,
        agents: Mapping[str, HostedAgent],
        tools: Mapping[str, Tool],
        observer: Observer | None = None,
    ) -> None:
        self.agents = agents
        self.tools = tools
        self.observer = observer

    def agent(self, name: str) -> HostedAgent:
        """Return an agent by name.

        Raises:
            UnknownAgent: there is none of that name; the message lists those there are.
        """
        if name not in self.agents:
            known = ", ".join(sorted(self.agents)) or "none"
            raise UnknownAgent(
                f"no agent {name!r}. Known: {known}. Add it to 'agents' in interlock.toml."
            )
        return self.agents[name]


def current_runtime() -> Runtime:
    """Return the runtime of the worker or replayer that runs this workflow."""
    functions = workflow.extern_functions()
    found: Runtime = functions[_NAME]()
    return found


class RuntimeInterceptor(Interceptor):
    """Gives every workflow of a worker its runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002  Temporal's name
    ) -> type[WorkflowInboundInterceptor] | None:
        """Register the runtime as an extern function; no interceptor is needed."""
        input.unsafe_extern_functions[_NAME] = lambda: self._runtime
        return None
