"""Calls of a run that a throttle or a concurrency limit keeps back: since when, why, and how long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict
from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse

from interlock.errors import Throttled
from interlock.replay.calls import scheduled_call, summary_of, throttled
from interlock.replay.problems import problem
from interlock.runs.client import Runs
from interlock.runs.meaning import explained

_TOOL_CALL = "tool.call"


class WaitingCall(BaseModel):
    """A tool call that may not start yet."""

    model_config = ConfigDict(frozen=True)

    tool: str
    limit: str
    """For example '10/s', '2/s of each tenant' or '4 at once'."""
    since: datetime
    """When it began to wait."""
    estimated_start: datetime | None
    """When it may start, as far as can be told."""
    backlog: int | None = None
    """About how many calls wait in the tool's queue; None where no queue keeps the limit."""


async def waiting_calls(
    runs: Runs, workflow_id: str, events: Sequence[HistoryEvent]
) -> list[WaitingCall]:
    """Return the calls of an open run that wait, oldest first.

    Args:
        runs: The deployment's runs.
        workflow_id: The run's workflow id.
        events: The history of its newest run.

    Raises:
        RunNotFound: there is no such run.
    """
    with explained(workflow_id):
        handle = runs.client.get_workflow_handle(workflow_id)
        described = (await handle.describe()).raw_description
    begun = _begun(events)
    waiting = _on_timers(events)
    for activity in described.pending_activities:
        if activity.activity_type.name == _TOOL_CALL and activity.activity_id in begun:
            tool, since = begun[activity.activity_id]
            found = _refused(activity, tool, since) or await _queued(runs, activity, tool, since)
            waiting += [found] if found is not None else []
    return sorted(waiting, key=lambda call: call.since)


def _begun(events: Iterable[HistoryEvent]) -> dict[str, tuple[str, datetime]]:
    """Return tool and time of each scheduled activity, by activity id."""
    scheduled = (
        event for event in events if event.HasField("activity_task_scheduled_event_attributes")
    )
    return {
        call.key: (call.subject, event.event_time.ToDatetime(UTC))
        for event in scheduled
        for call in (scheduled_call(event),)
    }


def _on_timers(events: Iterable[HistoryEvent]) -> list[WaitingCall]:
    running: dict[int, HistoryEvent] = {}
    for event in events:
        if event.HasField("timer_started_event_attributes"):
            running[event.event_id] = event
        elif event.HasField("timer_fired_event_attributes"):
            running.pop(event.timer_fired_event_attributes.started_event_id, None)
        elif event.HasField("timer_canceled_event_attributes"):
            running.pop(event.timer_canceled_event_attributes.started_event_id, None)
    found = ((throttled(summary_of(event.user_metadata)), event) for event in running.values())
    return [_on_timer(*named, event) for named, event in found if named is not None]


def _on_timer(tool: str, limit: str, event: HistoryEvent) -> WaitingCall:
    since = event.event_time.ToDatetime(UTC)
    lasts = event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
    return WaitingCall(tool=tool, limit=limit, since=since, estimated_start=since + lasts)


def _refused(activity: PendingActivityInfo, tool: str, since: datetime) -> WaitingCall | None:
    """Return a call whose last attempt found no room."""
    if not activity.HasField("last_failure") or not _is_idle(activity):
        return None
    last = problem(activity.last_failure)
    if last.code != Throttled.code:
        return None
    return WaitingCall(
        tool=tool,
        limit=str(last.details.get("limit", "")),
        since=since,
        estimated_start=activity.next_attempt_schedule_time.ToDatetime(UTC),
    )


async def _queued(
    runs: Runs, activity: PendingActivityInfo, tool: str, since: datetime
) -> WaitingCall | None:
    """Return a call that waits in a queue of its tool, whose rate the server keeps."""
    queue = activity.activity_options.task_queue.name
    prefix = runs.settings.temporal.queue_prefix
    if not _is_idle(activity) or queue != f"{prefix}tool.{tool}":
        return None
    described = await _described(runs, queue)
    rate = described.effective_rate_limit.requests_per_second
    backlog = described.stats.approximate_backlog_count
    return WaitingCall(
        tool=tool,
        limit=f"{rate:g}/s",
        since=since,
        estimated_start=datetime.now(UTC) + timedelta(seconds=backlog / rate) if rate else None,
        backlog=backlog,
    )


async def _described(runs: Runs, queue: str) -> DescribeTaskQueueResponse:
    request = DescribeTaskQueueRequest(
        namespace=runs.client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
    )
    with explained():
        return await runs.client.workflow_service.describe_task_queue(request)


def _is_idle(activity: PendingActivityInfo) -> bool:
    return activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
