"""A finished refund run is reset, with Temporal's own means: the refund is not made again."""

from __future__ import annotations

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

SIGNAL = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED

EXCLUDED = (
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
)


INPUTS: dict[str, Any] = {
    "cashier": {"order_id": ORDER, "amount": "89.00", "reason": "arrived broken"},
    "support": MESSAGE,
}
REFERENCES = {"cashier": "cashier", "support": "reconciling"}
"""Attributes of `tests.crash.support`."""


class Approver:
    """Approves by signal the action that it was asked for first, and rejects any other."""

    def __init__(self) -> None:
        self.action: dict[str, Any] | None = None
        self.rejected: list[dict[str, Any]] = []
        """Arguments of other actions."""
        self.signals = 0
        """Sent in all."""

    async def finish(self, handle: Handle) -> dict[str, Any]:
        """Decide on whatever a run asks and return its result."""
        seen: list[str] = []
        async for event in handle.fetch_history_events(wait_new_event=True):
            for request_id in requests_in(event):
                if request_id not in seen:
                    seen.append(request_id)
                    await self._decide(handle, request_id)
        result: dict[str, Any] = await handle.result()
        return result

    async def _decide(self, handle: Handle, request_id: str) -> None:
        pending = await handle.query("pending_approvals")
        for request in pending["requests"]:  # none, when a re-applied signal was quicker
            if request["id"] == request_id:
                verb = self._verb(request["arguments"])
                decision = {"request_id": request_id, "verb": verb, "digest": request["digest"]}
                await handle.signal("decide", decision)
                self.signals += 1

    def _verb(self, action: dict[str, Any]) -> str:
        self.action = self.action or action
        if action == self.action:
            return "approve"
        self.rejected.append(action)
        return "reject"


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


async def lineage_of(handle: Handle) -> str:
    """Id of the first run of a run's chain."""
    described = await handle.describe()
    return described.raw_description.workflow_execution_info.first_run_id


async def numbers_of(handle: Handle, kind: EventType.ValueType) -> list[int]:
    """Numbers of a run's events of one type."""
    return [e.event_id async for e in handle.fetch_history_events() if e.event_type == kind]


@pytest.mark.parametrize("reapply", [True, False], ids=["signals re-applied", "signals left out"])
@pytest.mark.parametrize("agent", INPUTS)
async def test_three_resets_pay_once(stage: RefundStage, agent: str, reapply: bool) -> None:
    """Reset to its start, its middle and its end, a run finds its refund made in the same lineage."""
    client, approver = stage.client, Approver()
    async with stage.shop(REFERENCES[agent]) as shop:
        async with workers(Hosting(shop.settings, shop.environment)) as start:
            await start()
            first = await client.start_workflow(
                "AgentWorkflow",
                {"agent": agent, "input": INPUTS[agent]},
                id=f"reset-{uuid.uuid4().hex[:12]}",
                task_queue=f"{shop.settings.temporal.queue_prefix}interlock",
            )
            result = await approver.finish(first)
            run = client.get_workflow_handle(first.id, run_id=first.result_run_id)
            ends = await numbers_of(run, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
            (signal,) = await numbers_of(run, SIGNAL)
            for at in (ends[0], ends[len(ends) // 2], ends[-1]):
                again, approver.signals = await reset(client, run, at, reapply=reapply), 0
                repeated = await approver.finish(again)
                old_signals = len(await numbers_of(again, SIGNAL)) - approver.signals
                assert old_signals == int(reapply or at > signal)
                assert approver.rejected or repeated["output"] == result["output"]
                assert await lineage_of(again) == run.run_id
                assert len(await shop.service.refunds(order_id=ORDER)) == 1
        async with Database(database_url(shop.settings)) as database:
            rows = await SqlLedger(database).rows(workflow_id=first.id)
        assert [row.tool for row in rows].count("refund") == 1
        assert {row.context.lineage.rpartition("/")[2] for row in rows} == {run.run_id}
    # The copilot remembers the case by then, and says so where a person reads it.
    assert len(approver.rejected) == (1 if agent == "support" else 0)
    assert all("settled before" in action["reason"] for action in approver.rejected)
