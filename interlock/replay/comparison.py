"""Compares the commands of today's code with the recorded ones, command by command.

Temporal compares too, but only once a workflow task is over, by kind and type. Here a command that
has another node, tool or status is another path, and equal commands with another input are told
apart. A local activity of another type has to be caught at once: Temporal would hand the recorded
result to the wrong caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from interlock.activations import Activate, ended
from interlock.canonical import digest
from interlock.memory.contract import MemoryBatch
from interlock.models.contract import ModelCall
from interlock.replay.calls import question_of
from interlock.replay.commands import Command, Scheduled, recorded
from interlock.tools.contract import ToolCall
from interlock.workflows.contract import NodeCall

_CONTRACTS: dict[str, type[BaseModel]] = {
    "tool.call": ToolCall,
    "model.call": ModelCall,
    "memory.batch": MemoryBatch,
}
_DERIVED = ("effect_key", "grant.digest")
"""Digests of arguments: they differ because an argument does."""

_CLOCK = ".checkpoint.ts"
"""LangGraph stamps a checkpoint, which continue-as-new carries, with the time of the machine."""

_LOCAL_MACHINE = re.compile(r"LocalActivity\((\d+)\)")
_EVENT = re.compile(r"HistoryEvent\(id: (\d+)")
_ACTIVITY_ID = re.compile(r"activity id '?\"?([^'\" ]+)")


class Change(BaseModel):
    """One value of a command that is not as recorded."""

    model_config = ConfigDict(frozen=True)

    path: str
    """Where it stands, for example 'arguments.amount'."""
    recorded: Any = None
    today: Any = None


class Divergence(BaseModel):
    """One point at which today's code does not do what was recorded."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["path", "arguments", "result"]
    """path: another command. arguments: the same command with another input. result: another end
    result of the same path."""
    node: str
    """The graph node that acts there, or '' outside the graph."""
    expected: str
    """The recorded command, in words."""
    actual: str
    """What today's code does instead, in words."""
    event_id: int
    """History event of the recorded command, or 0 when there is none."""
    changes: tuple[Change, ...] = ()
    """With equal commands: what differs in them."""
    message: str = ""
    """Temporal's own words, when it was Temporal that noticed."""


class Comparison:
    """Watches one replay; see `WatchedRunner`."""

    def __init__(self, events: tuple[HistoryEvent, ...]) -> None:
        self.divergences: list[Divergence] = []
        self.compared = 0
        """Commands of today's code that had a recorded counterpart."""
        self.latest: list[Command] = []
        """What today's code did in the last activation."""
        self._open: dict[tuple[str, str], Command] = {}
        for command in recorded(events):
            # An id may be used again once its activity is over; the first one counts.
            self._open.setdefault((command.kind, command.key), command)
        self._by_event = {command.event_id: command for command in self._open.values()}
        self._scheduled = Scheduled()
        self._history_length = 0
        self._unrecorded: list[Command] = []
        self._node = ""
        self._error = ""
        self._stopped = False

    def watch(
        self, activation: WorkflowActivation, activate: Activate
    ) -> WorkflowActivationCompletion:
        """Compare what the code does in one activation; end the replay at the first other command."""
        if activation.history_length != self._history_length:
            # Temporal has accepted the additions of the earlier workflow task.
            self._history_length, self._unrecorded = activation.history_length, []
        self.latest = []
        completion = activate(activation)
        if completion.HasField("failed"):
            self._error = completion.failed.failure.message
            return completion
        self.latest = list(self._scheduled.read(completion.successful.commands))
        for command in self.latest:
            self._node = command.node or self._node
            if self._leaves(command):
                self.stop()
                return ended(activation, f"today's code leaves the recorded path: {command.text}")
        return completion

    def stop(self) -> None:
        """Say that the replay is ended from here, so that its end is no divergence."""
        self._stopped = True

    def failed(self, error: Exception) -> None:
        """Take what Temporal says of a replay that did not get to its end."""
        if self._stopped:
            return
        said = self._error or _message(error)
        expected = self._named_by(said) or self._first_open()
        actual = next(iter(self._unrecorded), None) or next(
            (item for item in self.latest if not item.is_bookkeeping), None
        )
        self._add(expected, actual, message=said)

    def _leaves(self, command: Command) -> bool:
        known = self._open.get((command.kind, command.key))
        if known is None:
            # Beyond the recorded part, or an addition that Temporal will find.
            self._unrecorded.append(command)
            return False
        if not _same_act(known, command) or (
            not command.is_local and self._first_open(before=known.event_id, local=False)
        ):
            self._add(self._expected(known), next(iter(self._unrecorded), command))
            return True
        del self._open[command.kind, command.key]
        self.compared += 1
        changes = _changes(known, command)
        if changes:
            kind: Literal["arguments", "result"] = "result" if known.kind == "end" else "arguments"
            self._add(known, command, kind=kind, changes=changes)
        return False

    def _expected(self, known: Command) -> Command:
        """Return what the code should have done where it did something else than `known`."""
        if known.is_bookkeeping:
            return self._first_open() or known
        return self._first_open(before=known.event_id, local=not known.is_local) or known

    def _first_open(self, before: int | None = None, *, local: bool = False) -> Command | None:
        """Return the first recorded command that did not happen yet, of those `before` an event.

        A local activity is recorded when it is over, so its place says only that it began earlier.
        """
        left = [
            item
            for item in self._open.values()
            if (local or not item.is_local)
            and not item.is_bookkeeping
            and (before is None or item.event_id < before)
        ]
        return min(left, key=lambda item: item.event_id, default=None)

    def _named_by(self, message: str) -> Command | None:
        event = _EVENT.search(message)
        if event is not None:
            return self._by_event.get(int(event.group(1)))
        local = _LOCAL_MACHINE.search(message) or _ACTIVITY_ID.search(message)
        return self._open.get(("activity", local.group(1))) if local is not None else None

    def _add(
        self,
        expected: Command | None,
        actual: Command | None,
        *,
        kind: Literal["path", "arguments", "result"] = "path",
        changes: tuple[Change, ...] = (),
        message: str = "",
    ) -> None:
        sides = [item for item in (actual, expected) if item is not None]
        # A gate's commands have no node of their own: it is the node that acted before.
        node = next((item.node for item in sides if item.node), self._node)
        self.divergences.append(
            Divergence(
                kind=kind,
                node=node,
                expected=expected.text if expected else "nothing more",
                actual=actual.text if actual else "nothing: it waits, or has ended",
                event_id=expected.event_id if expected else 0,
                changes=changes,
                message=message,
            )
        )


def _same_act(known: Command, command: Command) -> bool:
    if known.name != command.name or known.is_local != command.is_local:
        return False
    if known.call is None or command.call is None:
        return True
    pairs = ((known.call.subject, command.call.subject), (known.call.node, command.call.node))
    # The history of a local activity may tell neither.
    return all(not before or not now or before == now for before, now in pairs)


def _changes(known: Command, command: Command) -> tuple[Change, ...]:
    before, now = _content(known), _content(command)
    if known.is_local:
        if not isinstance(before, dict) or not isinstance(now, dict):
            return ()  # a history has no input of local activities, but for what answers repeat
        now = {key: now.get(key) for key in before}
    if digest(before) == digest(now):
        return ()
    found = [item for item in _differences(before, now, "") if not item.path.endswith(_CLOCK)]
    causes = [item for item in found if item.path not in _DERIVED]
    return tuple(causes or found)


def _content(command: Command) -> Any:
    """Return the content in today's form: a field that came later has its default."""
    if command.call is None:
        return command.content
    if command.call.local:
        return question_of(command.call)
    contract = NodeCall if command.name.startswith("node.") else _CONTRACTS.get(command.name)
    if contract is None:
        return command.content
    try:
        return contract.model_validate(command.content).model_dump(mode="json", by_alias=True)
    except ValidationError:
        return command.content


def _differences(before: Any, now: Any, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(key for key in now if key not in before)]:
            yield from _differences(before.get(key), now.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif before != now:
        yield Change(path=path, recorded=before, today=now)


def _message(error: Exception) -> str:
    """Return what Temporal's core says, out of the debug text around it."""
    found = re.search(r'message: "((?:[^"\\]|\\.)*)"', str(error))
    return found.group(1) if found else str(error)
