"""The reviewer of the measurements: waits until a run asks, and allows it by signal."""

from __future__ import annotations

import json
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle

from interlock.testing.following import follow_events

Handle = WorkflowHandle[Any, Any]


async def asked(handle: Handle) -> dict[str, Any]:
    """Wait until a run asks for a decision, and return what.

    Raises:
        AssertionError: it ended without a question.
    """
    async for event in follow_events(handle):
        if _asks(event):
            pending = await handle.query("pending_approvals")
            request: dict[str, Any] = pending["requests"][0]
            return request
    raise AssertionError(f"run {handle.id!r} ended without a question")


async def approve(handle: Handle, request: dict[str, Any]) -> None:
    """Send the decision to do exactly what was asked."""
    decision = {
        "request_id": request["id"],
        "verb": "approve",
        "digest": request["digest"],
        "reviewer": "bench",
    }
    await handle.signal("decide", decision)


async def turn_taken(handle: Handle, turn: int) -> None:
    """Wait until a worker has taken its turn with a run so many times.

    Raises:
        AssertionError: the run ended before.
    """
    taken = set()
    async for event in follow_events(handle):
        if event.HasField("workflow_task_completed_event_attributes"):
            taken.add(event.event_id)
        if len(taken) >= turn:
            return
    raise AssertionError(f"run {handle.id!r} ended after {len(taken)} turns")


def _asks(event: HistoryEvent) -> bool:
    if not event.HasField("workflow_properties_modified_event_attributes"):
        return False
    fields = event.workflow_properties_modified_event_attributes.upserted_memo.fields
    return "pending" in fields and bool(json.loads(fields["pending"].data))
