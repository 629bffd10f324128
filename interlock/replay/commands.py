"""What a run asks of Temporal, as a history records it and as today's code asks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from pydantic import BaseModel, ConfigDict
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_commands import WorkflowCommand

from interlock.payloads import first, plain
from interlock.replay.calls import AUDIT, Call, arguments, local_call, scheduled_call, summary_of
from interlock.replay.problems import problem

_STATUS = "InterlockStatus"
_PATCHES = "TemporalChangeVersion"
"""Search attribute that the SDK sets by itself for `workflow.patched`: no command of the code."""

_TYPES = {
    "search_attributes": "run attributes",
    "memo": "open requests",
    "timer": "timer",
    "child": "child workflow",
    "end": "end of the run",
}


class Command(BaseModel):
    """One command, recorded or of today."""

    model_config = ConfigDict(frozen=True)

    kind: str
    """activity, timer, search_attributes, memo, child or end."""
    key: str
    """Tells commands of one kind apart: equal for the same command in every replay of one path."""
    name: str = ""
    """What has to be the same on the same path: an activity type, a status, a way to end."""
    content: Any = None
    """What it carries as JSON; other content is not another path."""
    call: Call | None = None
    """Of an activity."""
    event_id: int = 0
    """Of the event that records it; 0 for a command of today."""
    task: int = 0
    """Event id of the completed workflow task that a recorded command belongs to."""

    @property
    def text(self) -> str:
        """The command in a few words."""
        if self.call is not None:
            return self.call.text
        said = self.name or _short(self.content)
        return f"{_TYPES[self.kind]}: {said}"

    @property
    def node(self) -> str:
        """The graph node that it comes from, or '' when nothing tells."""
        return self.call.node if self.call is not None else ""

    @property
    def is_local(self) -> bool:
        """Whether it is a local activity, which is recorded when it ends and not when it begins."""
        return self.call is not None and self.call.local

    @property
    def is_bookkeeping(self) -> bool:
        """Whether it follows from another command and is no act of a node."""
        return self.call is not None and self.call.name == AUDIT


def recorded(events: Iterable[HistoryEvent]) -> list[Command]:
    """Return the commands of a history in the order of its events."""
    counted: dict[str, int] = {}
    found = (_recorded(event) for event in events)
    return [_numbered(command, counted) for command in found if command is not None]


class Scheduled:
    """Reads the commands of one replay: some are known by their place among their kind."""

    def __init__(self) -> None:
        self._counted: dict[str, int] = {}

    def read(self, commands: Iterable[WorkflowCommand]) -> Iterator[Command]:
        """Yield the commands of one activation that a history would record under a key."""
        for command in commands:
            variant = command.WhichOneof("variant") or ""
            found = _scheduled(command, variant, getattr(command, variant, None))
            if found is not None:
                yield _numbered(found, self._counted)


def _numbered(command: Command, counted: dict[str, int]) -> Command:
    if command.key:
        return command
    counted[command.kind] = counted.get(command.kind, 0) + 1
    return command.model_copy(update={"key": str(counted[command.kind])})


def _recorded(event: HistoryEvent) -> Command | None:
    kind = (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")
    data = getattr(event, f"{kind}_event_attributes", None)
    made = _recorded_call(event, kind) or _recorded_other(kind, data, event)
    if made is None:
        return None
    return made.model_copy(
        update={
            "event_id": event.event_id,
            "task": getattr(data, "workflow_task_completed_event_id", 0),
        }
    )


def _recorded_call(event: HistoryEvent, kind: str) -> Command | None:
    if kind == "activity_task_scheduled":
        return _activity(scheduled_call(event))
    call = local_call(event) if kind == "marker_recorded" else None
    return _activity(call) if call is not None else None


def _recorded_other(kind: str, data: Any, event: HistoryEvent) -> Command | None:
    match kind:
        case "timer_started":
            summary = summary_of(event.user_metadata)
            return _timer(data.timer_id, summary, data.start_to_fire_timeout)
        case "upsert_workflow_search_attributes":
            fields = data.search_attributes.indexed_fields
            return None if set(fields) == {_PATCHES} else _attributes(fields)
        case "workflow_properties_modified":
            return _memo(data.upserted_memo.fields)
        case "start_child_workflow_execution_initiated":
            return _child(data.workflow_id, data.workflow_type.name, list(data.input.payloads))
        case "workflow_execution_completed":
            return _end("completed", first(data.result.payloads))
        case "workflow_execution_failed":
            return _end("failed", _failure(data.failure))
        case "workflow_execution_canceled":
            return _end("cancelled", None)
        case "workflow_execution_continued_as_new":
            return _end("continued as new", arguments(list(data.input.payloads)))
    return None


def _scheduled(command: WorkflowCommand, variant: str, data: Any) -> Command | None:
    summary = summary_of(command.user_metadata)
    match variant:
        case "schedule_activity" | "schedule_local_activity":
            return _activity(
                Call(
                    name=data.activity_type,
                    key=data.activity_id,
                    local=variant == "schedule_local_activity",
                    question=first(data.arguments),
                    summary=summary,
                )
            )
        case "start_timer":
            return _timer(str(data.seq), summary, data.start_to_fire_timeout)
        case "upsert_workflow_search_attributes":
            return _attributes(data.search_attributes.indexed_fields)
        case "modify_workflow_properties":
            return _memo(data.upserted_memo.fields)
        case "start_child_workflow_execution":
            return _child(data.workflow_id, data.workflow_type, list(data.input))
    return _scheduled_end(variant, data)


def _scheduled_end(variant: str, data: Any) -> Command | None:
    match variant:
        case "complete_workflow_execution":
            result = plain(data.result) if data.HasField("result") else None
            return _end("completed", result)
        case "fail_workflow_execution":
            return _end("failed", _failure(data.failure))
        case "cancel_workflow_execution":
            return _end("cancelled", None)
        case "continue_as_new_workflow_execution":
            return _end("continued as new", arguments(list(data.arguments)))
    return None


def _activity(call: Call) -> Command:
    return Command(kind="activity", key=call.key, name=call.name, content=call.question, call=call)


def _timer(timer_id: str, summary: str, timeout: Duration) -> Command:
    return Command(kind="timer", key=timer_id, name=summary, content=timeout.ToJsonString())


def _attributes(fields: Mapping[str, Payload]) -> Command:
    values = {name: plain(fields[name]) for name in sorted(fields)}
    status = values.get(_STATUS)
    name = f"status {status!r}" if status is not None else ""
    return Command(kind="search_attributes", key="", name=name, content=values)


def _memo(fields: Mapping[str, Payload]) -> Command:
    values = {name: plain(fields[name]) for name in sorted(fields)}
    return Command(kind="memo", key="", content=values)


def _child(workflow_id: str, workflow_type: str, given: list[Payload]) -> Command:
    return Command(kind="child", key=workflow_id, name=workflow_type, content=arguments(given))


def _end(how: str, content: Any) -> Command:
    return Command(kind="end", key="end", name=how, content=content)


def _failure(failure: Failure) -> dict[str, Any]:
    return problem(failure).model_dump(mode="json")


def _short(content: Any) -> str:
    if isinstance(content, dict) and set(content) == {"pending"}:
        return ", ".join(content["pending"]) or "none"
    return str(content)
