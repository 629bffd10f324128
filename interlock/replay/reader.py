"""Turns history events into steps, one event at a time, so that a run can be shown as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from interlock.approvals.contract import DecisionAnswer
from interlock.models.tool_calls import made_id
from interlock.payloads import first, plain, put_back
from interlock.replay.answers import call_steps
from interlock.replay.calls import (
    Answer,
    Call,
    LocalClock,
    arguments,
    local_answer,
    local_call,
    scheduled_call,
    summary_of,
    throttled,
)
from interlock.replay.decisions import Decisions
from interlock.replay.history import not_found
from interlock.replay.judged import JudgedArguments
from interlock.replay.problems import problem
from interlock.replay.steps import (
    Asked,
    CancelAsked,
    Ended,
    Ending,
    Judged,
    ModelCalled,
    Problem,
    Received,
    Signalled,
    Started,
    Step,
    Stumbled,
    ToolCalled,
    Waited,
)

_DEADLINE = "deadline of "
_HANDLERS = ("decide", "submit_decision", "send_message", "submit_message", "cancel_run")


class StepReader:
    """Reads one run after the other of a chain; feed it their events in order."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._calls: dict[int, Call] = {}
        self._begun: dict[int, tuple[datetime, int]] = {}
        self._updates: dict[int, tuple[str, Any]] = {}
        self._decisions = Decisions()
        self._opening: list[Asked] = []
        self._wanted: dict[str, dict[str, Any]] = {}
        self._allowed = JudgedArguments()
        self._to_ask: list[Judged] = []
        self._clock = LocalClock(datetime.fromtimestamp(0, UTC))

    def feed(self, event: HistoryEvent) -> list[Step]:
        """Return the steps that an event completes, often none."""
        kind = event.WhichOneof("attributes") or ""
        steps: list[Step] = []
        if kind not in _WITH_OPENING:
            steps += self._opened()
        if kind not in _BEFORE_MEMO:
            steps += self._decisions.refused()
        read = _READERS.get(kind)
        found = read(self, event, getattr(event, kind)) if read else []
        for step in found:
            self._remember(step, alone=len(found) == 1)
        return [*steps, *found]

    def _opened(self) -> list[Step]:
        opening, self._opening = self._opening, []
        return list(opening)

    def _remember(self, step: Step, *, alone: bool) -> None:
        """Keep what a later request may be about, or a later call that was judged before."""
        if isinstance(step, ModelCalled) and step.answer is not None:
            for index, call in enumerate(step.answer.tool_calls):
                # A run gives a call whose id was used before an id of its own.
                ids = (str(call["id"]), made_id(step.answer.id, index))
                self._wanted |= dict.fromkeys(ids, call)
        elif isinstance(step, Judged) and step.outcome == "ask":
            self._to_ask.append(step)
        elif (
            isinstance(step, Judged)
            and step.outcome == "allow"
            and step.arguments is not None
            and alone
        ):
            self._allowed.judged(step.tool, step.arguments)

    # The run itself.

    def _started(self, event: HistoryEvent, data: Any) -> list[Step]:
        self._begin()
        given = arguments(data.input.payloads)
        request = given if isinstance(given, dict) and "agent" in given else {}
        return [
            Started(
                event_id=event.event_id,
                at=_at(event),
                workflow_type=data.workflow_type.name,
                agent=str(request.get("agent", "")),
                input=request.get("input") if request else given,
                tenant=str(request.get("tenant", "default")) if request else "",
                subject=str(request.get("subject", "")),
                conversation=bool(request.get("conversation", False)),
                continued=bool(data.continued_execution_run_id),
            )
        ]

    def _task_started(self, event: HistoryEvent, _: Any) -> list[Step]:
        self._clock = LocalClock(_at(event))
        return []

    def _task_completed(self, *_: Any) -> list[Step]:
        self._decisions.task_completed()
        return []

    def _task_failed(self, event: HistoryEvent, data: Any) -> list[Step]:
        if data.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND:
            return []  # something arrived while the run was about to end: it looks at that first
        cause = WorkflowTaskFailedCause.Name(data.cause)
        return [
            Stumbled(
                event_id=event.event_id,
                at=_at(event),
                cause=cause.removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").lower(),
                message=data.failure.message,
            )
        ]

    def _cancel_requested(self, event: HistoryEvent, data: Any) -> list[Step]:
        return [CancelAsked(event_id=event.event_id, at=_at(event), reason=data.cause)]

    def _completed(self, event: HistoryEvent, data: Any) -> list[Step]:
        result = first(data.result.payloads)
        cancelled = isinstance(result, dict) and result.get("status") == "cancelled"
        return [_ended(event, "cancelled" if cancelled else "completed", result=result)]

    def _failed(self, event: HistoryEvent, data: Any) -> list[Step]:
        return [_ended(event, "failed", error=problem(data.failure))]

    def _continued(self, event: HistoryEvent, data: Any) -> list[Step]:
        return [_ended(event, "continued_as_new", next_run_id=data.new_execution_run_id)]

    def _terminated(self, event: HistoryEvent, data: Any) -> list[Step]:
        return [_ended(event, "terminated", error=Problem(code="TERMINATED", message=data.reason))]

    def _canceled(self, event: HistoryEvent, _: Any) -> list[Step]:
        return [_ended(event, "cancelled")]

    def _timed_out(self, event: HistoryEvent, _: Any) -> list[Step]:
        return [_ended(event, "timed_out")]

    # Calls.

    def _scheduled(self, event: HistoryEvent, _: Any) -> list[Step]:
        self._calls[event.event_id] = scheduled_call(event)
        return []

    def _activity_started(self, event: HistoryEvent, data: Any) -> list[Step]:
        self._begun[data.scheduled_event_id] = (_at(event), data.attempt)
        return []

    def _activity_completed(self, event: HistoryEvent, data: Any) -> list[Step]:
        return self._answered(event, data, result=first(data.result.payloads))

    def _activity_failed(self, event: HistoryEvent, data: Any) -> list[Step]:
        return self._answered(event, data, error=problem(data.failure))

    def _activity_canceled(self, event: HistoryEvent, data: Any) -> list[Step]:
        error = Problem(code="CANCELLED", message="the call was cancelled.")
        return self._answered(event, data, error=error)

    def _answered(self, event: HistoryEvent, data: Any, **how: Any) -> list[Step]:
        call = self._calls.pop(data.scheduled_event_id)
        begun, attempts = self._begun.pop(data.scheduled_event_id, (_at(event), 1))
        seconds = (_at(event) - begun).total_seconds()
        answer = Answer(**how, attempts=attempts, seconds=seconds)
        return call_steps(event.event_id, _at(event), call, answer)

    def _marker(self, event: HistoryEvent, _: Any) -> list[Step]:
        call = local_call(event)
        if call is None:
            return []
        answer = local_answer(event, self._clock)
        steps = call_steps(event.event_id, _at(event), call, answer) if answer else []
        if len(steps) == 1 and isinstance(steps[0], ToolCalled) and steps[0].arguments is None:
            known = self._allowed.over(steps[0].tool)
            return [steps[0].model_copy(update={"arguments": known})]
        return steps

    # People.

    def _signal(self, event: HistoryEvent, data: Any) -> list[Step]:
        given = arguments(data.input.payloads)
        place = {"event_id": event.event_id, "at": _at(event)}
        if data.signal_name == "decide":
            self._decisions.signal(event.event_id, _at(event), given)
            return []
        if data.signal_name == "send_message":
            return [Received(**place, message=given)]
        if data.signal_name == "cancel_run":
            return [CancelAsked(**place, reason=str(given or ""))]
        return [Signalled(**place, name=data.signal_name, input=given)]

    def _update_accepted(self, event: HistoryEvent, data: Any) -> list[Step]:
        given = data.accepted_request.input
        self._updates[event.event_id] = (given.name, arguments(given.args.payloads))
        return []

    def _update_completed(self, event: HistoryEvent, data: Any) -> list[Step]:
        name, given = self._updates.pop(data.accepted_event_id, ("", None))
        answer = first(data.outcome.success.payloads)
        said = answer if isinstance(answer, dict) else {}
        place = {"event_id": event.event_id, "at": _at(event)}
        if name == "submit_decision" and said:
            told = DecisionAnswer.model_validate(said)
            return list(self._decisions.update(event.event_id, _at(event), given, told))
        if name == "submit_message" and said:
            accepted, code = bool(said.get("accepted")), str(said.get("code", ""))
            return [Received(**place, message=given, accepted=accepted, code=code)]
        return [Signalled(**place, name=name, input=given)]

    def _memo(self, event: HistoryEvent, data: Any) -> list[Step]:
        fields = data.upserted_memo.fields
        if "pending" not in fields:
            return []
        pending = [str(item) for item in plain(fields["pending"]) or []]
        opened, ended = self._decisions.memo(event.event_id, _at(event), pending)
        self._opening += [self._asked(event, request_id) for request_id in opened]
        return list(ended)

    def _timer(self, event: HistoryEvent, data: Any) -> list[Step]:
        """Complete a request: its gate starts the timer of its deadline right after the memo."""
        summary = summary_of(event.user_metadata)
        seconds = data.start_to_fire_timeout.ToTimedelta().total_seconds()
        waits = throttled(summary)
        if waits is not None:
            place = {"event_id": event.event_id, "at": _at(event)}
            return [Waited(**place, tool=waits[0], limit=waits[1], seconds=seconds)]
        if not self._opening or not summary.startswith(_DEADLINE):
            return []
        asked = self._opening.pop(0)
        about = self._about(asked.request_id, summary.removeprefix(_DEADLINE))
        return [asked.model_copy(update={**about, "seconds_to_decide": seconds})]

    def _asked(self, event: HistoryEvent, request_id: str) -> Asked:
        return Asked(event_id=event.event_id, at=_at(event), request_id=request_id)

    def _about(self, request_id: str, tool: str) -> dict[str, Any]:
        known: dict[str, Any] = {"tool": tool}
        verdict = next((item for item in self._to_ask if item.tool == tool), None)
        if verdict is not None:
            self._to_ask.remove(verdict)
            known |= {"why": verdict.reason, "risk": verdict.risk, "arguments": verdict.arguments}
        call_id = request_id.rpartition(":")[0]
        wanted = self._wanted.get(call_id) or self._wanted.get(call_id.rpartition(":")[0])
        if known.get("arguments") is None and wanted and wanted["name"] == tool:
            known["arguments"] = wanted["args"]
        return known


def read_steps(events: Iterable[HistoryEvent]) -> list[Step]:
    """Return the steps of a whole history."""
    reader = StepReader()
    return [step for event in events for step in reader.feed(event)]


async def follow(
    client: Client, workflow_id: str, run_id: str | None = None
) -> AsyncIterator[Step]:
    """Yield the steps of a run as they happen, through every continue-as-new, until it ends.

    Raises:
        RunNotFound: the server has no such run.
    """
    reader = StepReader()
    while True:
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        next_run = ""
        try:
            async for event in handle.fetch_history_events(wait_new_event=True):
                await put_back(event, client.data_converter)
                for step in reader.feed(event):
                    next_run = step.next_run_id if isinstance(step, Ended) else next_run
                    yield step
        except RPCError as error:
            raise not_found(error, workflow_id, run_id) from error
        if not next_run:
            return
        run_id = next_run


def _at(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)


def _ended(event: HistoryEvent, status: Ending, **how: Any) -> Ended:
    return Ended(event_id=event.event_id, at=_at(event), status=status, **how)


_BEFORE_MEMO = frozenset(
    {
        "workflow_task_completed_event_attributes",
        "upsert_workflow_search_attributes_event_attributes",
        "workflow_properties_modified_event_attributes",
        "timer_started_event_attributes",
        "timer_canceled_event_attributes",
        "marker_recorded_event_attributes",  # the signature of the decision was verified
        "workflow_execution_update_accepted_event_attributes",
        "workflow_execution_update_completed_event_attributes",
        "activity_task_cancel_requested_event_attributes",
    }
)
"""Events that may stand between a handled signal and the memo that shows that it counted."""

_WITH_OPENING = frozenset(
    {"timer_started_event_attributes", "workflow_properties_modified_event_attributes"}
)

_READERS: dict[str, Callable[[StepReader, HistoryEvent, Any], list[Step]]] = {
    f"{name}_event_attributes": read
    for name, read in {
        "workflow_execution_started": StepReader._started,
        "workflow_task_started": StepReader._task_started,
        "workflow_task_completed": StepReader._task_completed,
        "workflow_task_failed": StepReader._task_failed,
        "workflow_execution_cancel_requested": StepReader._cancel_requested,
        "workflow_execution_completed": StepReader._completed,
        "workflow_execution_failed": StepReader._failed,
        "workflow_execution_continued_as_new": StepReader._continued,
        "workflow_execution_terminated": StepReader._terminated,
        "workflow_execution_canceled": StepReader._canceled,
        "workflow_execution_timed_out": StepReader._timed_out,
        "activity_task_scheduled": StepReader._scheduled,
        "activity_task_started": StepReader._activity_started,
        "activity_task_completed": StepReader._activity_completed,
        "activity_task_failed": StepReader._activity_failed,
        "activity_task_timed_out": StepReader._activity_failed,
        "activity_task_canceled": StepReader._activity_canceled,
        "marker_recorded": StepReader._marker,
        "workflow_execution_signaled": StepReader._signal,
        "workflow_execution_update_accepted": StepReader._update_accepted,
        "workflow_execution_update_completed": StepReader._update_completed,
        "workflow_properties_modified": StepReader._memo,
        "timer_started": StepReader._timer,
    }.items()
}
