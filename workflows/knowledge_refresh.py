"""Brings the knowledge in memory up to date with its folders; runs on a Temporal schedule."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ConfigDict

    from interlock.context import CallContext
    from interlock.memory import (
        KnowledgeBatch,
        KnowledgePlan,
        KnowledgePlanRequest,
        KnowledgeReport,
    )

_DOCUMENTS_A_BATCH = 8
_RETRY = RetryPolicy(maximum_attempts=5)


class Refresh(BaseModel):
    """Which folders to read, and for whom."""

    model_config = ConfigDict(frozen=True)

    folders: tuple[str, ...]
    tenant: str = "default"


@workflow.defn
class KnowledgeRefresh:
    """Compares folders with memory and writes only what changed; safe to repeat at any point."""

    @workflow.run
    async def run(self, refresh: Refresh) -> KnowledgeReport:
        """Refresh every folder and return the sum of what was done."""
        context = CallContext(agent="knowledge", tenant=refresh.tenant)
        report = KnowledgeReport()
        for folder in refresh.folders:
            report = report.plus(await self._folder(folder, context))
        return report

    async def _folder(self, folder: str, context: CallContext) -> KnowledgeReport:
        plan = await workflow.execute_activity(
            "knowledge.plan",
            KnowledgePlanRequest(folder=folder, context=context),
            result_type=KnowledgePlan,
            start_to_close_timeout=timedelta(minutes=5),
            retry_policy=_RETRY,
            summary=f"compare {folder}",
        )
        report = KnowledgeReport(unchanged=plan.unchanged)
        for start in range(0, len(plan.steps), _DOCUMENTS_A_BATCH):
            steps = plan.steps[start : start + _DOCUMENTS_A_BATCH]
            done = await workflow.execute_activity(
                "knowledge.apply",
                KnowledgeBatch(folder=folder, steps=steps, context=context),
                result_type=KnowledgeReport,
                start_to_close_timeout=timedelta(minutes=10),
                heartbeat_timeout=timedelta(seconds=30),
                retry_policy=_RETRY,
                summary=f"{len(steps)} documents of {folder}",
            )
            report = report.plus(done)
        return report
