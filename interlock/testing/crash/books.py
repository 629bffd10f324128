"""Reading what a run left in the ledger, the audit store and the history."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowHandle

from interlock.app import App, database_url
from interlock.audit import Claim, EventFilter, LedgerRow
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.audit.store import SqlAuditStore
from interlock.errors import LedgerConflict
from interlock.settings import Settings
from interlock.worker import replayer

_LIMIT = 1000


async def read_books(settings: Settings, workflow_id: str) -> dict[str, Any]:
    """Return the fields of `Outcome` that the ledger and the audit store tell.

    The ledger of the trial is tried too: nobody else may be able to use a used decision.
    """
    async with Database(database_url(settings)) as database:
        ledger = SqlLedger(database)
        rows = await ledger.rows(workflow_id=workflow_id, limit=_LIMIT)
        events = await SqlAuditStore(database).events(
            EventFilter(workflow_id=workflow_id, limit=_LIMIT)
        )
        reusable = [row.request_id for row in rows if await _is_reusable(ledger, row)]
    names = [f"{event.kind} {event.name} {event.outcome}" for event in events]
    return {
        "ledger": [(row.tool, str(row.state), row.request_id) for row in rows],
        "audit": dict(sorted(Counter(names).items())),
        "reusable": reusable,
    }


async def _is_reusable(ledger: SqlLedger, row: LedgerRow) -> bool:
    """Whether another effect of the run can be claimed under the decision of a row."""
    if row.request_id is None:
        return False
    other = Claim(
        effect_key=f"{row.effect_key}-other",
        call_id="crash-kit",
        tool=row.tool,
        arguments={},
        workflow_id=row.workflow_id,
        context=row.context,
        deadline=datetime.now(UTC),
        request_id=row.request_id,
    )
    try:
        await ledger.claim(other)
    except LedgerConflict:
        return False
    return True


async def replay(settings: Settings, handle: WorkflowHandle[Any, Any]) -> str:
    """Replay a run's history with the code that is loaded here; return why it fails, or ''."""
    found = await replayer(App(settings)).replay_workflow(
        await handle.fetch_history(), raise_on_replay_failure=False
    )
    failure = found.replay_failure
    return "" if failure is None else f"{type(failure).__name__}: {failure}"


__all__ = ["read_books", "replay"]
