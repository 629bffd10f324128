"""Stops a replay in Python's debugger where a node's own code begins, with recorded answers."""

from __future__ import annotations

import functools
import inspect
import pdb  # noqa: T100  the debugger is what this module is for
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import CodeType, FrameType
from typing import IO, Any

from langchain_core.runnables.config import run_in_executor
from langgraph.constants import START
from langgraph.pregel import Pregel
from pydantic import BaseModel, ConfigDict
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import UnsandboxedWorkflowRunner

from interlock.activations import Activate, ended
from interlock.errors import BadInput
from interlock.replay.comparison import Comparison
from interlock.replay.history import History, agent_of
from interlock.replay.replayer import Code, ReplayReport, report, run_again
from interlock.workflows import activity_node
from interlock.workflows.recording import current_node


class StopReport(BaseModel):
    """What came of a debugging session."""

    model_config = ConfigDict(frozen=True)

    stops: int
    """How often the debugger stopped at the node; 0 when the run did not come to it."""
    report: ReplayReport
    """Of the replay, up to where it was quit."""


async def stop_at(
    history: History,
    code: Code,
    node: str,
    *,
    stdin: IO[str] | None = None,
    stdout: IO[str] | None = None,
) -> StopReport:
    """Replay a run in `pdb`, which stops each time the code of `node` is about to run.

    `c` goes on to the next time, `q` ends the replay. The replay runs in this thread.

    Args:
        history: What was recorded.
        code: What runs.
        node: Name of a node of the run's agent, or of a subgraph of it.
        stdin: Where commands come from; the terminal by default.
        stdout: Where the debugger writes to; the terminal by default.

    Raises:
        BadInput: the agent has no such node, or one whose code a replay does not run.
        ConfigError: the run is of a workflow that the deployment does not have.
    """
    comparison = Comparison(history.events)
    debugger = _NodeDebugger(_code_of(history, code, node), node, stdin, stdout)
    hook = sys.breakpointhook
    try:
        await run_again(
            history,
            replace(code, runner=UnsandboxedWorkflowRunner()),
            comparison,
            _Stopping(comparison, debugger),
            debug=True,
        )
    finally:
        sys.breakpointhook = hook  # the SDK sets its own in debug mode and leaves it there
        debugger.clear_all_breaks()
    return StopReport(stops=debugger.stops, report=report(history, comparison))


class _Stopping:
    """Runs every activation under the debugger until it is quit."""

    def __init__(self, comparison: Comparison, debugger: _NodeDebugger) -> None:
        self._comparison = comparison
        self._debugger = debugger

    def watch(
        self, activation: WorkflowActivation, activate: Activate
    ) -> WorkflowActivationCompletion:
        """Debug the code, then compare what it did."""
        completion = self._debugger.run_activation(activation, activate)
        if self._debugger.was_quit:
            self._comparison.stop()
            return ended(activation, "the debugger was quit")
        return self._comparison.watch(activation, lambda _: completion)


class _NodeDebugger(pdb.Pdb):
    """`pdb` with a breakpoint at the first line of a node's function."""

    def __init__(
        self, code: CodeType, node: str, stdin: IO[str] | None, stdout: IO[str] | None
    ) -> None:
        # Ctrl-C ends the command, as it does everywhere else.
        super().__init__(stdin=stdin, stdout=stdout, nosigint=True, readrc=stdin is None)
        self.stops = 0
        self.was_quit = False
        self._code = code
        self._node = node
        self._begun = False
        problem = self.set_break(code.co_filename, code.co_firstlineno, funcname=code.co_name)
        if problem:
            raise BadInput(f"node {node!r} cannot be stopped at: {problem}.")

    def run_activation(
        self, activation: WorkflowActivation, activate: Activate
    ) -> WorkflowActivationCompletion:
        """Debug one activation."""
        before = sys.gettrace()
        self.botframe = sys._getframe()
        if not self._begun:  # later, `n` goes on where the node waited for an answer
            self._begun = True
            self.set_continue()
        sys.settrace(self.trace_dispatch)
        try:
            return activate(activation)
        finally:
            sys.settrace(before)

    def break_here(self, frame: FrameType) -> bool:
        """Stop at breakpoints; at the function only when it runs as the node that was asked for."""
        if not super().break_here(frame):
            return False
        if frame.f_code is self._code:
            if current_node() != self._node.rpartition(":")[2]:
                return False
            self.stops += 1
        return True

    def do_quit(self, arg: str) -> bool | None:
        """End the replay. An exception here would look like a failure of the node."""
        self.was_quit = True
        self.clear_all_breaks()
        return self.do_continue(arg)

    do_q = do_exit = do_EOF = do_quit  # noqa: N815  pdb's names


def _code_of(history: History, code: Code, node: str) -> CodeType:
    name = agent_of(history)
    if not name:
        raise BadInput(f"run {history.workflow_id!r} did not come as far as its agent.")
    agent = code.runtime.agent(name)
    nodes = dict(_nodes(agent.graph))
    named = [key for key in nodes if key == node or key.rpartition(":")[2] == node]
    if not named:
        raise BadInput(
            f"agent {agent.name!r} has no node {node!r}. It has: {', '.join(sorted(nodes))}."
        )
    function = _function(nodes[named[0]])
    if function is None:
        inner = sorted(key for key in nodes if key.startswith(f"{named[0]}:"))
        raise BadInput(
            f"node {node!r} is a graph of its own. Stop at one of its nodes: {', '.join(inner)}."
        )
    if function.__code__.co_filename == activity_node.__file__:
        raise BadInput(
            f"node {node!r} is an activity node: its code ran in an activity, and a replay takes the "
            "recorded result. Stop at a node before or after it."
        )
    found: CodeType = _bare(inspect.unwrap(function)).__code__
    return found


def _nodes(graph: Pregel[Any, Any, Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the nodes of a graph and its subgraphs, as 'node' and 'node:inner'."""
    for name, node in graph.nodes.items():
        if name != START:
            yield prefix + name, node.bound
    for name, subgraph in graph.get_subgraphs():
        if isinstance(subgraph, Pregel):
            yield from _nodes(subgraph, f"{prefix}{name}:")


def _function(bound: Any) -> Any:
    """Return the Python function of a node, or None for a graph."""
    if isinstance(bound, Pregel):
        return None
    for part in getattr(bound, "steps", [bound]):
        for found in (getattr(part, "afunc", None), getattr(part, "func", None)):
            # LangGraph gives a sync function an async twin that hops to a thread.
            if found is not None and getattr(found, "func", None) is not run_in_executor:
                return _bare(found)
    return _bare(bound)


def _bare(function: Any) -> Any:
    """Return what has the code: not the `partial`, the method or the object around it."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    return function if hasattr(function, "__code__") else type(function).__call__
