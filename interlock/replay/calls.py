"""Recorded calls, whether they ran as activities or as local activities, in one form."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import UserMetadata

from interlock.payloads import first, plain
from interlock.replay.problems import problem
from interlock.replay.steps import Problem

LOCAL_MARKER = "core_local_activity"
"""Name of the marker that the SDK records for a local activity."""

AUDIT = "audit.record"
"""Activity that writes down what the run did: never an act of a node."""

BOOKING = "throttle.book"
"""Activity that gives a call its turn under a rate: what follows from it is a timer."""

VERIFYING = "approvals.verify"
"""Activity that looks at the signature of a decision: what it found is the decision's answer."""

NOTIFYING = "approvals.notify"
"""Activity that tells people of a request."""

_REPEATED = {"policy.judge": "arguments", "memory.batch": "queries", "tool.call": "arguments"}
"""What the answer of a local activity repeats of its question, by activity: a marker has no input.
Runs that older versions recorded have not all of it."""

_SUMMARY = re.compile(r"(?:tool|verdict on|model|memory|node|turn of) (.+?)(?: \[(.*)\])?$")

_THROTTLE = re.compile(r"throttle of (\w+): (.+)$")

_DOORS = {
    "model.call": "model call",
    "tool.call": "tool call",
    "policy.judge": "verdict on",
    "memory.batch": "memory",
    "run.open": "opening of the run",
    AUDIT: "audit record",
    BOOKING: "turn of",
    VERIFYING: "signature of a decision",
}


class Call(BaseModel):
    """One activity as the run asked for it."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Activity type."""
    key: str
    """Activity id: counts the calls of a run in the order in which they were made."""
    local: bool
    question: Any = None
    """Its input as JSON. For a local activity, what its answer repeats of it, or None."""
    summary: str = ""

    @property
    def subject(self) -> str:
        """The tool, the model role, the memory operations or the node; '' for other activities."""
        data = self.question if isinstance(self.question, dict) else {}
        if self.name == "memory.batch" and isinstance(data.get("ops"), list):
            return ", ".join(dict.fromkeys(str(op.get("op")) for op in data["ops"]))
        return str(data.get("tool") or data.get("role") or self._summarised(1))

    @property
    def node(self) -> str:
        """The graph node that made it, or '' when nothing tells."""
        if self.name.startswith("node."):
            return self.name.removeprefix("node.")
        context = self.question.get("context") if isinstance(self.question, dict) else None
        node = str(context.get("node", "")) if isinstance(context, dict) else ""
        return node or self._summarised(2)

    @property
    def text(self) -> str:
        """The call in a few words."""
        if self.name.startswith("node."):
            return f"activity node {self.node!r}"
        door = _DOORS.get(self.name)
        if door is None:
            return f"activity {self.name!r}" + (f" ({self.summary})" if self.summary else "")
        subject = f" {self.subject!r}" if self.subject else ""
        return door + subject + (f" in node {self.node!r}" if self.node else "")

    def _summarised(self, group: int) -> str:
        found = _SUMMARY.match(self.summary) if self.name in _DOORS else None
        return (found.group(group) or "") if found else ""


class Answer(BaseModel):
    """How a call ended."""

    model_config = ConfigDict(frozen=True)

    result: Any = None
    error: Problem | None = None
    attempts: int = 1
    seconds: float | None = None


def question_of(call: Call) -> Any:
    """Return what is known of a call's question in every history: for a search, its queries."""
    data = call.question
    if call.local and call.name == "memory.batch" and isinstance(data, dict) and "ops" in data:
        return {**data, "queries": [op["query"] for op in data["ops"] if op.get("query")]}
    return data


def throttled(summary: str) -> tuple[str, str] | None:
    """Return the tool and the limit that a timer's summary names; None for any other timer."""
    found = _THROTTLE.match(summary)
    return (found[1], found[2]) if found else None


def scheduled_call(event: HistoryEvent) -> Call:
    """Return the call that an ACTIVITY_TASK_SCHEDULED event records."""
    scheduled = event.activity_task_scheduled_event_attributes
    return Call(
        name=scheduled.activity_type.name,
        key=scheduled.activity_id,
        local=False,
        question=first(scheduled.input.payloads),
        summary=summary_of(event.user_metadata),
    )


def local_call(event: HistoryEvent) -> Call | None:
    """Return the call that a marker records, or None for a marker of another kind."""
    marker = event.marker_recorded_event_attributes
    if marker.marker_name != LOCAL_MARKER:
        return None
    data = _marker_data(event)
    result = first(marker.details["result"].payloads)
    return Call(
        name=str(data["activity_type"]),
        key=str(data["activity_id"]),
        local=True,
        question=_repeated(str(data["activity_type"]), result),
        summary=summary_of(event.user_metadata),
    )


def local_answer(event: HistoryEvent, clock: LocalClock) -> Answer | None:
    """Return how the local activity of a marker ended; None when it is to be tried again later."""
    marker, data = event.marker_recorded_event_attributes, _marker_data(event)
    seconds = clock.seconds(data)
    if data.get("backoff"):
        return None
    result = first(marker.details["result"].payloads)
    return Answer(
        result=result,
        error=problem(marker.failure) if marker.HasField("failure") else None,
        attempts=int(data.get("attempt") or 1),
        seconds=seconds,
    )


class LocalClock:
    """Tells how long local activities took.

    A marker says when its activity was over, counted from the workflow's time when it was asked
    for. That time is the end of the last local activity that was over by then.
    """

    def __init__(self, task_started: datetime) -> None:
        self._times = [(0.0, task_started.timestamp())]

    def seconds(self, data: dict[str, Any]) -> float | None:
        """Return the time of the activity that a marker's data describes."""
        if not data.get("complete_time") or not data.get("original_schedule_time"):
            return None
        asked, over = _stamp(data["original_schedule_time"]), _stamp(data["complete_time"])
        began = max(time for known_from, time in self._times if known_from <= asked)
        taken = max(0.0, over - began)
        self._times.append((asked + taken, over))
        return round(taken, 6)


def summary_of(metadata: UserMetadata) -> str:
    """Return the summary that Temporal's own web UI shows beside an event."""
    return str(plain(metadata.summary)) if metadata.HasField("summary") else ""


def arguments(payloads: list[Payload]) -> Any:
    """Return what was given: nothing, one value, or a list of several."""
    values = [plain(payload) for payload in payloads]
    return values if len(values) > 1 else first(payloads)


def _stamp(data: dict[str, int]) -> float:
    return data["seconds"] + data["nanos"] / 1e9


def _marker_data(event: HistoryEvent) -> dict[str, Any]:
    found: dict[str, Any] = first(event.marker_recorded_event_attributes.details["data"].payloads)
    return found


def _repeated(name: str, result: Any) -> dict[str, Any] | None:
    key = _REPEATED.get(name)
    if name == "tool.call" and isinstance(result, dict):
        result = result.get("verdict")
    if key is None or not isinstance(result, dict) or result.get(key) is None:
        return None
    return {key: result[key]}
