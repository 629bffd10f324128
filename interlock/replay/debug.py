"""Shows a replay superstep by superstep: what the nodes asked, what they got, what the state became."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot
from pydantic import BaseModel, ConfigDict
from temporalio.bridge.proto.workflow_activation import ResolveActivity, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from interlock.codec import encode
from interlock.errors import NotSerializable
from interlock.replay.calls import AUDIT, arguments
from interlock.replay.commands import Command
from interlock.replay.comparison import Comparison
from interlock.replay.history import History
from interlock.replay.payloads import plain
from interlock.replay.problems import problem
from interlock.replay.replayer import Code, ReplayReport, report, run_again
from interlock.replay.steps import Problem
from interlock.workflows.runtime import HostedAgent, Runtime

_DECISIONS = ("decide", "submit_decision")


class StateChange(BaseModel):
    """What one superstep did to one key of the state."""

    model_config = ConfigDict(frozen=True)

    key: str
    how: Literal["set", "added", "removed"]
    """set: it has this value now. added: these items came to the end of the list."""
    value: Any = None


class DoorCall(BaseModel):
    """What a node asked through a door, and what it got."""

    model_config = ConfigDict(frozen=True)

    text: str
    """The call in a few words."""
    node: str = ""
    question: Any = None
    answer: Any = None
    error: Problem | None = None
    answered: bool = False
    """False when the history ends before the answer."""


class Superstep(BaseModel):
    """One superstep of the graph."""

    model_config = ConfigDict(frozen=True)

    number: int
    nodes: tuple[str, ...]
    """Nodes that ran."""
    calls: tuple[DoorCall, ...]
    changes: tuple[StateChange, ...] = ()
    next: tuple[str, ...] = ()
    """Nodes that come after it."""
    finished: bool = True
    """False for the superstep in which the run failed, waits or ended."""


class DebugReport(BaseModel):
    """A replay in supersteps."""

    model_config = ConfigDict(frozen=True)

    supersteps: tuple[Superstep, ...]
    ended: str
    """completed, failed, cancelled, continued as new, or '' when the history ends before."""
    failure: Problem | None
    """With `failed`: the code's error, as it is today."""
    report: ReplayReport


async def supersteps(history: History, code: Code) -> DebugReport:
    """Replay a run and return its supersteps, up to its end, its failure or the first other command.

    Raises:
        ConfigError: the run is of a workflow that the deployment does not have.
    """
    comparison = Comparison(history.events)
    collected = _Collector(comparison)
    agents = {name: _Stepwise(agent) for name, agent in code.runtime.agents.items()}
    runtime = Runtime(agents, code.runtime.tools, collected.superstep_ended)
    await run_again(history, replace(code, runtime=runtime), comparison, collected)
    return DebugReport(
        supersteps=tuple(collected.supersteps()),
        ended=collected.ended.name if collected.ended else "",
        failure=_failure(collected.ended),
        report=report(history, comparison),
    )


@dataclass(frozen=True)
class _Stepwise:
    """An agent whose checkpoint is written before the next superstep begins, so that it is seen."""

    _agent: HostedAgent

    @property
    def name(self) -> str:
        return self._agent.name

    @property
    def graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        return self._agent.graph.with_config(configurable={"__pregel_durability": "sync"})

    def read_input(self, value: str | dict[str, Any]) -> dict[str, Any]:
        return self._agent.read_input(value)

    def write_output(self, values: Any) -> dict[str, Any]:
        return self._agent.write_output(values)


@dataclass
class _Open:
    """A superstep in the making."""

    nodes: tuple[str, ...] = ()
    calls: list[DoorCall] = field(default_factory=list)


class _Collector:
    """Watches a replay; what it sees falls between the ends of supersteps."""

    def __init__(self, comparison: Comparison) -> None:
        self.ended: Command | None = None
        self._comparison = comparison
        self._done: list[Superstep] = []
        self._open = _Open()
        self._state: dict[str, Any] = {}
        self._by_sequence: dict[int, tuple[_Open, int]] = {}
        self._requests: dict[str, tuple[_Open, int]] = {}
        self._decisions: dict[str, Any] = {}

    def supersteps(self) -> Iterator[Superstep]:
        """Yield the supersteps, the one that did not end included."""
        yield from self._done
        if self._open.calls or self._open.nodes:
            yield Superstep(
                number=len(self._done) + 1,
                nodes=_nodes(self._open),
                calls=tuple(self._open.calls),
                finished=False,
            )

    def superstep_ended(self, _: int, state: StateSnapshot) -> None:
        """Take the state after a superstep; see `Observer`."""
        values = {str(key): _readable(value) for key, value in dict(state.values).items()}
        step = Superstep(
            number=len(self._done) + 1,
            nodes=_nodes(self._open),
            calls=tuple(self._open.calls),
            changes=tuple(_changes(self._state, values)),
            next=tuple(state.next),
        )
        self._done.append(step)
        self._state = values
        self._open = _Open(nodes=step.next)

    @contextmanager
    def around(self, activation: WorkflowActivation) -> Iterator[None]:
        """Take the answers that the code is about to get."""
        for job in activation.jobs:
            if job.HasField("resolve_activity"):
                self._answer(job.resolve_activity)
            elif job.HasField("signal_workflow"):
                self._decide(job.signal_workflow.signal_name, job.signal_workflow.input)
            elif job.HasField("do_update"):
                self._decide(job.do_update.name, job.do_update.input)
        with self._comparison.around(activation):
            yield

    def after(
        self, activation: WorkflowActivation, completion: WorkflowActivationCompletion
    ) -> str:
        """Take the calls that the code made: they belong to the superstep that is open now."""
        stop = self._comparison.after(activation, completion)
        sequences = iter(_sequences(completion))
        for command in self._comparison.latest:
            if command.kind == "activity":
                self._call(command, next(sequences))
            elif command.kind == "memo":
                self._wait(command)
            elif command.kind == "end":
                self.ended = command
        return stop

    def _call(self, command: Command, sequence: int) -> None:
        if command.call is None or command.call.name == AUDIT:
            return
        made = DoorCall(text=command.text, node=command.node, question=command.content)
        self._by_sequence[sequence] = (self._open, len(self._open.calls))
        self._open.calls.append(made)

    def _answer(self, resolved: ResolveActivity) -> None:
        place = self._by_sequence.get(resolved.seq)
        result = resolved.result
        if place is None or result.HasField("backoff"):
            return
        if result.HasField("completed"):
            _fill(place, answer=plain(result.completed.result))
        else:
            failure = result.failed if result.HasField("failed") else result.cancelled
            _fill(place, error=problem(failure.failure))

    def _decide(self, name: str, given: Any) -> None:
        decision = arguments(list(given))
        if name in _DECISIONS and isinstance(decision, dict):
            self._decisions[str(decision.get("request_id", ""))] = decision

    def _wait(self, command: Command) -> None:
        pending = command.content.get("pending") or []
        for request_id in [item for item in self._requests if item not in pending]:
            _fill(self._requests.pop(request_id), answer=self._decisions.get(request_id))
        for request_id in [item for item in pending if item not in self._requests]:
            self._requests[request_id] = (self._open, len(self._open.calls))
            node = self._open.calls[-1].node if self._open.calls else ""
            asked = DoorCall(text=f"decision on {request_id!r}", node=node, question=request_id)
            self._open.calls.append(asked)


def _fill(place: tuple[_Open, int], **how: Any) -> None:
    step, index = place
    step.calls[index] = step.calls[index].model_copy(update={**how, "answered": True})


def _nodes(step: _Open) -> tuple[str, ...]:
    """Return the nodes of a superstep; of the first one only those are known that asked something."""
    return step.nodes or tuple(dict.fromkeys(call.node for call in step.calls if call.node))


def _sequences(completion: WorkflowActivationCompletion) -> Iterator[int]:
    for command in completion.successful.commands:
        if command.HasField("schedule_activity"):
            yield command.schedule_activity.seq
        elif command.HasField("schedule_local_activity"):
            yield command.schedule_local_activity.seq


def _failure(ended: Command | None) -> Problem | None:
    if ended is None or ended.name != "failed":
        return None
    return Problem.model_validate(ended.content)


def _readable(value: Any) -> Any:
    try:
        return encode(value)
    except NotSerializable:
        return repr(value)


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[StateChange]:
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if key not in after:
            yield StateChange(key=key, how="removed")
        elif isinstance(old, list) and isinstance(new, list) and new[: len(old)] == old != new:
            yield StateChange(key=key, how="added", value=new[len(old) :])
        elif key not in before or old != new:
            yield StateChange(key=key, how="set", value=new)
