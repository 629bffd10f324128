"""What is known of runs and of their open requests, as their callers and reviewers see them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from interlock.approvals.contract import ApprovalRequest
from interlock.workflows import search


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class RunSummary(_Data):
    """One run, as Temporal's visibility store knows it."""

    workflow_id: str
    run_id: str
    agent: str
    status: str
    """running, waiting, idle, completed, cancelled, failed, terminated or timed_out."""
    tenant: str
    risk: str
    release: str
    workflow_type: str
    started_at: datetime
    ended_at: datetime | None
    events: int
    """Length of the history."""


class RunPage(_Data):
    """Some runs, newest first."""

    runs: tuple[RunSummary, ...]
    next: str
    """Cursor of the page after this one; empty on the last."""


class OpenRequest(_Data):
    """A request that waits, and the run that it belongs to."""

    workflow_id: str
    request: ApprovalRequest


class WaitingRun(_Data):
    """A run that waits for a person, as Temporal's visibility store knows it."""

    workflow_id: str
    run_id: str
    pending: tuple[str, ...]
    """Ids of its open requests."""


_ENDS = {
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "continued_as_new",
}


def summary_of(execution: WorkflowExecution) -> RunSummary:
    """Return what Temporal's visibility store knows of a run."""
    found = execution.typed_search_attributes
    said = found.get(search.STATUS) or "running"
    if execution.status is WorkflowExecutionStatus.COMPLETED and said != "cancelled":
        said = "completed"
    return RunSummary(
        workflow_id=execution.id,
        run_id=execution.run_id,
        agent=found.get(search.AGENT) or "",
        status=_ENDS.get(execution.status, said) if execution.status else said,
        tenant=found.get(search.TENANT) or "",
        risk=found.get(search.RISK) or "",
        release=found.get(search.RELEASE) or "",
        workflow_type=execution.workflow_type,
        started_at=execution.start_time,
        ended_at=execution.close_time,
        events=execution.history_length,
    )
