"""Personal data is shown unmasked to whoever asks for it, once that is recorded."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from interlock.approvals.people import Person
from interlock.audit.contract import AuditEvent, AuditStore
from interlock.context import CallContext
from interlock.runs.contract import OpenRequest, RunSummary


async def note_request(audit: AuditStore, person: Person, item: OpenRequest) -> None:
    """Record that a person is about to see what is personal in a request.

    Raises:
        DatabaseUnreachable: it was not recorded, so nothing may be shown.
    """
    context = CallContext(agent=item.request.agent, tenant=item.request.tenant)
    await _note(audit, person, item.request.id, item.workflow_id, context)


async def note_run(audit: AuditStore, person: Person, run: RunSummary) -> None:
    """Record that a person is about to see what is personal in a run.

    Raises:
        DatabaseUnreachable: it was not recorded, so nothing may be shown.
    """
    context = CallContext(agent=run.agent, tenant=run.tenant, release=run.release)
    await _note(audit, person, "run", run.workflow_id, context)


async def _note(
    audit: AuditStore, person: Person, what: str, workflow_id: str, context: CallContext
) -> None:
    now = datetime.now(UTC)
    event = AuditEvent(
        id=f"reveal/{uuid.uuid4().hex}",
        kind="reveal",
        name=what,
        outcome="shown",
        workflow_id=workflow_id,
        context=context,
        started_at=now,
        ended_at=now,
        details={"reviewer": person.subject, "roles": list(person.roles)},
    )
    await audit.record([event])
