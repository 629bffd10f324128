"""What people decided before on the same tool: for whoever has to decide now."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import get_args

from pydantic import BaseModel, ConfigDict

from interlock.approvals.contract import ApprovalRequest, Verb
from interlock.audit.contract import AuditEvent, AuditStore, EventFilter

_LOOKED_AT = 50
_SHOWN = 4
_SINCE = timedelta(days=90)


class PastDecision(BaseModel):
    """One decision on another call of the tool."""

    model_config = ConfigDict(frozen=True)

    verb: str
    reviewer: str
    comment: str
    at: datetime
    workflow_id: str


class Past(BaseModel):
    """The last decisions on a tool, in the tenant of a request."""

    model_config = ConfigDict(frozen=True)

    counts: dict[str, int] = {}
    """By verb, the most frequent first."""
    last: tuple[PastDecision, ...] = ()
    """The newest that say why."""

    @property
    def total(self) -> int:
        """How many were looked at."""
        return sum(self.counts.values())


async def past_of(request: ApprovalRequest, audit: AuditStore) -> Past:
    """Return what was decided in the last months on the tool of a request, in its tenant."""
    if request.kind != "action":
        return Past()
    found = await audit.events(
        EventFilter(
            kind="decision",
            name=request.tool,
            outcomes=get_args(Verb),
            tenant=request.tenant,
            since=datetime.now(UTC) - _SINCE,
            newest_first=True,
            limit=_LOOKED_AT,
        )
    )
    counts = Counter(event.outcome for event in found)
    explained = [event for event in found if event.details.get("comment")]
    return Past(
        counts=dict(counts.most_common()),
        last=tuple(_decision(event) for event in explained[:_SHOWN]),
    )


def _decision(event: AuditEvent) -> PastDecision:
    return PastDecision(
        verb=event.outcome,
        reviewer=str(event.details.get("reviewer", "")),
        comment=str(event.details["comment"]),
        at=event.started_at,
        workflow_id=event.workflow_id,
    )
