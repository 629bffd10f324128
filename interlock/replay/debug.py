"""Shows a replay superstep by superstep: what the nodes asked, what they got, what the state became."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from langgraph.graph import START
from langgraph.types import StateSnapshot
from pydantic import BaseModel, ConfigDict
from temporalio.bridge.proto.workflow_activation import ResolveActivity, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from interlock.activations import Activate
from interlock.codec import encode
from interlock.errors import NotSerializable
from interlock.payloads import plain
from interlock.replay.calls import AUDIT, BOOKING, NOTIFYING, VERIFYING, arguments
from interlock.replay.commands import Command
from interlock.replay.comparison import Comparison
from interlock.replay.decisions import fits
from interlock.replay.history import History, agent_of
from interlock.replay.problems import problem
from interlock.replay.replayer import Code, ReplayReport, report, run_again
from interlock.replay.steps import Problem
from interlock.workflows.runtime import Runtime

_DECISIONS = ("decide", "submit_decision")
_NOT_DOORS = ("run.open", AUDIT, BOOKING, VERIFYING, NOTIFYING)


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
    """False when the history ends before the answer, or when a request was taken back."""


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
    """False for the superstep in which the run failed, was cancelled or waits."""


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
    continued = bool(history.started.continued_execution_run_id)
    collected = _Collector(comparison, () if continued else _entry(history, code))
    runtime = Runtime(code.runtime.agents, code.runtime.tools, collected.superstep_ended)
    await run_again(history, replace(code, runtime=runtime), comparison, collected)
    return DebugReport(
        supersteps=collected.supersteps(),
        ended=_how(collected.ended),
        failure=_failure(collected.ended),
        report=report(history, comparison),
    )


@dataclass
class _Making:
    """A superstep in the making: answers may still come in after it is known how it ended."""

    nodes: tuple[str, ...]
    calls: list[DoorCall] = field(default_factory=list)
    changes: tuple[StateChange, ...] = ()
    next: tuple[str, ...] = ()
    finished: bool = False

    def made(self, number: int) -> Superstep:
        """Return the superstep."""
        acted = tuple(dict.fromkeys(call.node for call in self.calls if call.node))
        return Superstep(
            number=number,
            nodes=self.nodes or acted,
            calls=tuple(self.calls),
            changes=self.changes,
            next=self.next,
            finished=self.finished,
        )


class _Collector:
    """Watches a replay; what it sees falls between the ends of supersteps."""

    def __init__(self, comparison: Comparison, entry: tuple[str, ...]) -> None:
        self.ended: Command | None = None
        self._comparison = comparison
        self._entry = entry
        self._steps = [_Making(entry)]
        self._state: dict[str, Any] = {}
        self._by_sequence: dict[int, tuple[_Making, int]] = {}
        self._requests: dict[str, tuple[_Making, int]] = {}
        self._decisions: dict[str, Any] = {}

    def supersteps(self) -> tuple[Superstep, ...]:
        """Return the supersteps; the last one only if something happened in it."""
        seen = [step for step in self._steps if step.finished or step.calls]
        return tuple(step.made(number) for number, step in enumerate(seen, start=1))

    def superstep_ended(self, _: int, state: StateSnapshot) -> None:
        """Take the state after a superstep; see `Observer`."""
        values = {str(key): _readable(value) for key, value in dict(state.values).items()}
        step = self._steps[-1]
        step.changes = tuple(_changes(self._state, values))
        step.next = tuple(dict.fromkeys(state.next))
        step.finished = True
        self._state = values
        # After the last superstep of a turn, the next message enters where every turn does.
        self._steps.append(_Making(step.next or self._entry))

    def watch(
        self, activation: WorkflowActivation, activate: Activate
    ) -> WorkflowActivationCompletion:
        """Take the answers that the code gets, then the calls that it makes.

        The calls belong to the superstep that is open by then: the one before cannot have ended
        while it waited for an answer.
        """
        for job in activation.jobs:
            if job.HasField("resolve_activity"):
                self._answer(job.resolve_activity)
            elif job.HasField("signal_workflow"):
                self._decide(job.signal_workflow.signal_name, job.signal_workflow.input)
            elif job.HasField("do_update"):
                self._decide(job.do_update.name, job.do_update.input)
        sequences: list[int] = []

        def counted(again: WorkflowActivation) -> WorkflowActivationCompletion:
            completion = activate(again)
            sequences.extend(_sequences(completion))
            return completion

        completion = self._comparison.watch(activation, counted)
        for command in self._comparison.latest:
            if command.kind == "activity":
                self._call(command, sequences.pop(0))
            elif command.kind == "memo":
                self._wait(command)
            elif command.kind == "end":
                self.ended = command
        return completion

    def _call(self, command: Command, sequence: int) -> None:
        if command.name in _NOT_DOORS:
            return
        step = self._steps[-1]
        self._by_sequence[sequence] = (step, len(step.calls))
        step.calls.append(DoorCall(text=command.text, node=command.node, question=command.content))

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
        for request_id in self._requests if name in _DECISIONS else ():
            if fits(decision, request_id):
                self._decisions.setdefault(request_id, decision)

    def _wait(self, command: Command) -> None:
        pending = command.content.get("pending") or []
        for request_id in [item for item in self._requests if item not in pending]:
            place = self._requests.pop(request_id)
            if request_id in self._decisions:
                _fill(place, answer=self._decisions[request_id])
        step = self._steps[-1]
        for request_id in [item for item in pending if item not in self._requests]:
            self._requests[request_id] = (step, len(step.calls))
            node = step.calls[-1].node if step.calls else ", ".join(step.nodes)
            asked = DoorCall(text=f"decision on {request_id!r}", node=node, question=request_id)
            step.calls.append(asked)


def _fill(place: tuple[_Making, int], **how: Any) -> None:
    step, index = place
    step.calls[index] = step.calls[index].model_copy(update={**how, "answered": True})


def _entry(history: History, code: Code) -> tuple[str, ...]:
    """Return the nodes that every turn begins with, or () when an edge chooses them."""
    agent = code.runtime.agents.get(agent_of(history))
    if agent is None:
        return ()
    first = [edge for edge in agent.graph.get_graph().edges if edge.source == START]
    if any(edge.conditional for edge in first):
        return ()
    return tuple(edge.target for edge in first)


def _sequences(completion: WorkflowActivationCompletion) -> Iterator[int]:
    for command in completion.successful.commands:
        if command.HasField("schedule_activity"):
            yield command.schedule_activity.seq
        elif command.HasField("schedule_local_activity"):
            yield command.schedule_local_activity.seq


def _how(ended: Command | None) -> str:
    if ended is None:
        return ""
    result = ended.content if isinstance(ended.content, dict) else {}
    return "cancelled" if result.get("status") == "cancelled" else ended.name


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
