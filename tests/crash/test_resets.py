"""A finished refund run is reset, with Temporal's own means: the refund is not made again."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle

from interlock.app import database_url
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.testing.processes import Hosting
from tests.crash.refunds import RefundStage
from tests.crash.reviewer import requests_in
from tests.crash.support import MESSAGE, ORDER
from tests.crash.trials import workers

Handle = WorkflowHandle[Any, Any]

EXCLUDED = (
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
)


async def finish(handle: Handle) -> tuple[dict[str, Any], list[str]]:
    """Approve by signal whatever a run asks; return its result and the ids of what it asked."""
    asked: list[str] = []
    async for event in handle.fetch_history_events(wait_new_event=True):
        for request_id in requests_in(event):
            if request_id not in asked:
                asked.append(request_id)
                await approve(handle, request_id)
    return await handle.result(), asked


async def approve(handle: Handle, request_id: str) -> None:
    """Send a decision, if the request still waits for one."""
    pending = await handle.query("pending_approvals")
    for request in pending["requests"]:
        if request["id"] == request_id:
            decision = {"request_id": request_id, "verb": "approve", "digest": request["digest"]}
            await handle.signal("decide", decision)


async def reset(client: Client, handle: Handle, at: int, *, reapply: bool) -> Handle:
    """Reset a run to the end of a workflow task and return the new run."""
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.run_id or ""),
            reason="to see whether it pays again",
            workflow_task_finish_event_id=at,
            request_id=uuid.uuid4().hex,
            reset_reapply_exclude_types=() if reapply else EXCLUDED,
        )
    )
    return client.get_workflow_handle(handle.id, run_id=answer.run_id)


async def tasks_of(handle: Handle) -> list[int]:
    """Numbers of the events that end a run's workflow tasks."""
    ended = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [e.event_id async for e in handle.fetch_history_events() if e.event_type == ended]


@pytest.mark.parametrize("reapply", [True, False], ids=["signals re-applied", "signals left out"])
async def test_three_resets_pay_once(stage: RefundStage, reapply: bool) -> None:
    """Reset to its start, its middle and its end, a run asks again and finds its refund made."""
    client = stage.client
    async with stage.shop("reconciling") as shop:
        async with workers(Hosting(shop.settings, shop.environment)) as start:
            await start()
            first = await client.start_workflow(
                "AgentWorkflow",
                {"agent": "support", "input": MESSAGE},
                id=f"reset-{uuid.uuid4().hex[:12]}",
                task_queue=f"{shop.settings.temporal.queue_prefix}interlock",
            )
            result, asked = await finish(first)
            assert len(asked) == 1
            run = client.get_workflow_handle(first.id, run_id=first.result_run_id)
            ends = await tasks_of(run)
            for at in (ends[0], ends[len(ends) // 2], ends[-1]):
                again = await reset(client, run, at, reapply=reapply)
                repeated, _ = await finish(again)
                assert repeated["output"]["done"] == result["output"]["done"]
                described = await again.describe()
                lineage = described.raw_description.workflow_execution_info.first_run_id
                assert lineage == run.run_id, "a reset begins another lineage"
                assert len(await shop.service.refunds(order_id=ORDER)) == 1
        async with Database(database_url(shop.settings)) as database:
            rows = await SqlLedger(database).rows(workflow_id=first.id)
        assert [row.tool for row in rows] == ["refund", "send_reply"]
        assert {row.context.lineage.rpartition("/")[2] for row in rows} == {run.run_id}
