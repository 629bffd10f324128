"""A finished refund run is reset, with Temporal's own means: the refund is not made again."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from interlock.app import database_url
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.testing.crash.reviewer import requests_in
from interlock.testing.crash.trial import workers
from interlock.testing.following import follow_events
from interlock.testing.processes import Hosting
from tests.crash.refunds import RefundStage
from tests.crash.support import MESSAGE, ORDER
from tests.resets import Handle, numbers_of, reset

SIGNAL = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED

INPUTS: dict[str, Any] = {
    "cashier": {"order_id": ORDER, "amount": "89.00", "reason": "arrived broken"},
    "support": MESSAGE,
}
REFERENCES = {"cashier": "cashier", "support": "reconciling"}
"""Attributes of `tests.crash.support`."""
PAID = {"cashier": "refund_id", "support": "done"}
"""What each agent's output says of its refund."""


class Approver:
    """Approves by signal whatever a run asks."""

    def __init__(self) -> None:
        self.actions: list[dict[str, Any]] = []
        """Arguments of each action that was asked for."""

    async def finish(self, handle: Handle) -> dict[str, Any]:
        """Decide on whatever a run asks and return its result."""
        seen: list[str] = []
        async for event in follow_events(handle):
            for request_id in requests_in(event):
                if request_id not in seen:
                    seen.append(request_id)
                    await self._decide(handle, request_id)
        result: dict[str, Any] = await handle.result()
        return result

    async def _decide(self, handle: Handle, request_id: str) -> None:
        pending = await handle.query("pending_approvals")
        # None, when the run was reset to a moment after the decision.
        for request in [found for found in pending["requests"] if found["id"] == request_id]:
            self.actions.append(request["arguments"])
            decision = {"request_id": request_id, "verb": "approve", "digest": request["digest"]}
            await handle.signal("decide", decision)


async def lineage_of(handle: Handle) -> str:
    """Id of the first run of a run's chain."""
    described = await handle.describe()
    return described.raw_description.workflow_execution_info.first_run_id


@pytest.mark.parametrize("reapply", [True, False], ids=["signals re-applied", "signals left out"])
@pytest.mark.parametrize("agent", INPUTS)
async def test_three_resets_pay_once(stage: RefundStage, agent: str, reapply: bool) -> None:
    """Reset to its start, its middle and its end, a run finds its refund made in the same lineage."""
    client, approver, paid = stage.client, Approver(), PAID[agent]
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
                again, asked = await reset(client, run, at, reapply=reapply), len(approver.actions)
                repeated = await approver.finish(again)
                sent = len(approver.actions) - asked
                assert len(await numbers_of(again, SIGNAL)) - sent == int(reapply or at > signal)
                assert repeated["output"][paid] == result["output"][paid]
                assert await lineage_of(again) == run.run_id
                assert len(await shop.service.refunds(order_id=ORDER)) == 1
        async with Database(database_url(shop.settings)) as database:
            rows = await SqlLedger(database).rows(workflow_id=first.id)
        assert [row.tool for row in rows].count("refund") == 1
        assert {row.context.lineage.rpartition("/")[2] for row in rows} == {run.run_id}
    assert all(action == approver.actions[0] for action in approver.actions)
