"""Runs a LangGraph graph inside a workflow, one turn at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import langsmith
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.types import INTERRUPT
from langgraph.errors import GraphRecursionError
from langgraph.types import Command, StateSnapshot
from pydantic import BaseModel, ConfigDict
from temporalio.exceptions import FailureError

from interlock.errors import GraphFailed, InterlockError, LimitReached, said
from interlock.memory.contract import MEMORY_PORT
from interlock.memory.store import Store
from interlock.models.contract import MODEL_PORT
from interlock.tools.contract import TOOL_PORT
from interlock.workflows.activity_node import NODE_PORT
from interlock.workflows.checkpoints import RunSaver
from interlock.workflows.gate import Gate
from interlock.workflows.interrupts import Interrupts
from interlock.workflows.memory_door import MemoryDoor
from interlock.workflows.model_door import ModelDoor
from interlock.workflows.node_door import NodeDoor
from interlock.workflows.run import Run
from interlock.workflows.runtime import Runtime
from interlock.workflows.tool_door import ToolDoor

THREAD = "run"
"""LangGraph's thread id. A run has its own saver, so the name need not be unique."""


class Turn(BaseModel):
    """How one turn of the graph ended."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    finished: bool
    """False when it stopped at a superstep boundary to continue as new."""
    values: Any
    """The state."""


class Host:
    """Drives one agent's graph for one run and owns its checkpoint."""

    def __init__(self, run: Run, runtime: Runtime, must_continue: Callable[[], bool]) -> None:
        """Compile nothing: take the agent's graph with this run's saver and store.

        Args:
            run: The run's state.
            runtime: The worker's agents and tools.
            must_continue: Asked at each superstep boundary whether history is long enough.
        """
        agent = runtime.agent(run.request.agent)
        self._run = run
        self._observer = runtime.observer
        self._must_continue = must_continue
        self._saver = RunSaver()
        self._graph = agent.graph.copy({"checkpointer": self._saver, "store": Store()})
        self._config: RunnableConfig = {
            "configurable": {"thread_id": THREAD},
            "recursion_limit": run.terms.steps,
        }
        gate = Gate(run)
        self._interrupts = Interrupts(run, gate, runtime.tools)
        MODEL_PORT.set(ModelDoor(run))
        TOOL_PORT.set(ToolDoor(run, gate, runtime.tools))
        MEMORY_PORT.set(MemoryDoor(run))
        NODE_PORT.set(NodeDoor(run))
        if run.request.carried:
            self._saver.restore(run.request.carried.checkpoint)

    async def turn(self, graph_input: Any) -> Turn:
        """Run the graph until it ends, or to a boundary where it has to continue as new.

        Args:
            graph_input: The graph's input, or None to go on from the checkpoint.

        Raises:
            InterlockError: the graph failed; the error names the node and the cause.
        """
        if graph_input is not None:
            self._run.begin_turn()
        with langsmith.tracing_context(enabled=False):
            try:
                return await self._turn(graph_input)
            except (InterlockError, FailureError, asyncio.CancelledError) as error:
                if isinstance(error, InterlockError):
                    error.details.setdefault("node", _failed_node(error))
                raise
            except GraphRecursionError as error:
                raise self._too_many_steps() from error
            except Exception as error:
                node = _failed_node(error)
                raise GraphFailed(
                    f"node {node or 'of the graph'!r} raised {said(error)}",
                    node=node,
                    cause=type(error).__name__,
                ) from error

    async def _turn(self, pending: Any) -> Turn:
        while True:
            stopped, values = await self._pass(pending)
            if values is not None and not stopped and not self._saver.has_interrupts():
                return Turn(finished=True, values=values)  # without reading the checkpoint back
            state = await self._graph.aget_state(self._config, subgraphs=True)
            interrupts = [found for task in state.tasks for found in task.interrupts]
            if interrupts:
                answers = await self._interrupts.answer(interrupts, _messages_of(state))
                pending = Command(resume=answers)
            elif stopped and state.next:
                return Turn(finished=False, values=state.values)
            else:
                return Turn(finished=True, values=state.values)

    async def _pass(self, pending: Any) -> tuple[bool, Any]:
        """Run supersteps until the graph stops.

        Returns:
            Whether it was stopped to continue as new, and the state it was last in.
        """
        self._run.recorder.begin_pass()
        stream = self._graph.astream(pending, self._config, stream_mode="values", durability="sync")
        ended, last = self._saver.supersteps, None
        async with aclosing(cast("AsyncGenerator[Any, None]", stream)) as states:
            async for values in states:
                if isinstance(values, dict) and INTERRUPT in values:
                    continue
                last = values
                # LangGraph also yields the input, and what is done so far where a node stops to ask.
                if self._saver.supersteps == ended:
                    continue
                ended = self._saver.supersteps
                if await self._superstep_ended():
                    return True, last
        return False, last

    async def _superstep_ended(self) -> bool:
        self._run.steps += 1
        self._run.recorder.end_superstep()
        if self._observer is not None:
            self._observer(self._run.steps, await self._graph.aget_state(self._config))
        await self._check_steps()
        return self._must_continue() and not self._run.desk.pending

    async def _check_steps(self) -> None:
        """Count over interrupts and continue-as-new, where LangGraph begins to count anew."""
        taken = self._run.steps - self._run.steps_before
        if taken >= self._run.terms.steps and (await self._graph.aget_state(self._config)).next:
            raise self._too_many_steps()

    def _too_many_steps(self) -> LimitReached:
        return LimitReached(
            f"the graph took more than {self._run.terms.steps} steps in one turn. Does an edge lead "
            "back for ever? Otherwise raise limits.steps."
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the whole checkpoint as readable JSON."""
        return self._saver.snapshot()

    def state(self) -> StateSnapshot:
        """Return the graph's state as of the last superstep. Safe in a query."""
        return self._graph.get_state(self._config)

    def picture(self) -> str:
        """Return the graph as Mermaid text, with the current nodes in the class `current`."""
        text = self._graph.get_graph().draw_mermaid()
        names = [
            name for name in self.state().next if re.search(rf"^\t{re.escape(name)}\(", text, re.M)
        ]
        lit = "".join(f"\tclass {name} current\n" for name in names)
        style = "\tclassDef current fill:#ffb703,stroke:#fb8500,stroke-width:3px\n"
        return text + style + lit


def _messages_of(state: StateSnapshot) -> list[Any]:
    """Return the messages of the innermost state that has an interrupt."""
    for task in state.tasks:
        if task.interrupts and isinstance(task.state, StateSnapshot):
            return _messages_of(task.state)
    values = state.values
    found = (
        values.get("messages") if isinstance(values, dict) else getattr(values, "messages", None)
    )
    return list(found) if found else []


def _failed_node(error: BaseException) -> str:
    for note in getattr(error, "__notes__", []):
        match = re.match(r"During task with name '(.+?)' and id", note)
        if match:
            return match.group(1)
    return ""
