"""Requests that wait, and runs that stand in for those of a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from interlock.approvals.contract import ApprovalRequest, Decision, DecisionAnswer
from interlock.runs.client import Runs
from interlock.runs.contract import OpenRequest
from interlock.settings import Settings
from interlock.tools.contract import Risk


def request(request_id: str = "call_1:abc", **fields: Any) -> ApprovalRequest:
    """Return a request to give money back."""
    now = datetime.now(UTC)
    known = {
        "id": request_id,
        "tool": "refund",
        "arguments": {"order_id": "7", "amount": "40.00", "times": 1},
        "digest": "d" * 64,
        "why": "it is risky",
        "risk": Risk.HIGH,
        "agent": "clerk",
        "tenant": "default",
        "requested_at": now,
        "expires_at": now + timedelta(hours=3),
    }
    return ApprovalRequest.model_validate(known | fields)


class Waiting:
    """Runs that wait, and what they answer to a decision."""

    def __init__(
        self,
        *items: OpenRequest,
        answer: DecisionAnswer | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings
        self.items = list(items)
        self.answer = answer
        self.sent: list[Decision] = []

    async def open_requests(self) -> list[OpenRequest]:
        return self.items

    async def pending(self, workflow_id: str) -> list[ApprovalRequest]:
        return [item.request for item in self.items if item.workflow_id == workflow_id]

    async def decide(self, workflow_id: str, decision: Decision) -> DecisionAnswer:
        self.sent.append(decision)
        return self.answer or DecisionAnswer(accepted=True, request_id=decision.request_id)


def runs(waiting: Waiting) -> Runs:
    """Return the fake under the type that the functions take."""
    return cast("Runs", waiting)


def item(run: str, request_id: str) -> OpenRequest:
    """Return a request of a run."""
    return OpenRequest(workflow_id=run, request=request(request_id))
