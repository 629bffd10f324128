"""The audit room's activity: workflows record what they saw through it."""

from __future__ import annotations

from temporalio import activity

from interlock.audit.contract import AuditBatch, AuditStore


class AuditActivities:
    """Activities on one audit store.

    Args:
        store: Where the events go.
    """

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    @activity.defn(name="audit.record")
    async def record(self, batch: AuditBatch) -> int:
        """Record events and return how many were new; a retry writes none twice."""
        return await self._store.record(batch.events)
