"""Resetting a run with Temporal's own means, for the tests of several rooms."""

from __future__ import annotations

import uuid
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle

Handle = WorkflowHandle[Any, Any]

_EXCLUDED = (
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
)


async def reset(client: Client, handle: Handle, at: int, *, reapply: bool) -> Handle:
    """Reset a run to the end of a workflow task and return the new run.

    Args:
        client: A client of the server.
        handle: The run; of the newest when it names none.
        at: Number of the event that ended the workflow task.
        reapply: Whether the signals and updates after it are sent to the new run.
    """
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.run_id or ""),
            reason="to see whether it pays again",
            workflow_task_finish_event_id=at,
            request_id=uuid.uuid4().hex,
            reset_reapply_exclude_types=() if reapply else _EXCLUDED,
        )
    )
    return client.get_workflow_handle(handle.id, run_id=answer.run_id)


async def numbers_of(handle: Handle, kind: EventType.ValueType) -> list[int]:
    """Return the numbers of a run's events of one type."""
    return [e.event_id async for e in handle.fetch_history_events() if e.event_type == kind]
