"""Which runs to list, as a query of Temporal's visibility store."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from interlock.errors import BadInput

Status = Literal["running", "waiting", "idle", "completed", "failed", "cancelled"]

_BY_STATUS: dict[str, str] = {
    "running": "InterlockStatus = 'running' AND ExecutionStatus = 'Running'",
    "waiting": "InterlockStatus = 'waiting' AND ExecutionStatus = 'Running'",
    "idle": "InterlockStatus = 'idle' AND ExecutionStatus = 'Running'",
    "completed": "ExecutionStatus = 'Completed' AND InterlockStatus != 'cancelled'",
    "failed": "ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated')",
    "cancelled": "(InterlockStatus = 'cancelled' OR ExecutionStatus = 'Canceled')",
}

_RUNS = "(WorkflowType = 'AgentWorkflow' OR InterlockAgent IS NOT NULL)"
_NEWEST_OF_CHAIN = "ExecutionStatus != 'ContinuedAsNew'"


class RunFilter(BaseModel):
    """Conditions that all hold; an empty one does not filter."""

    model_config = ConfigDict(frozen=True)

    status: Status | None = None
    agent: str = ""
    tenant: str = ""
    tenants: tuple[str, ...] = ()
    """Only runs of these; of all when there are none."""

    def query(self) -> str:
        """Return the query.

        Raises:
            BadInput: a name that no agent or tenant can have.
        """
        parts = [_RUNS, _NEWEST_OF_CHAIN]
        if self.status:
            parts.append(_BY_STATUS[self.status])
        if self.agent:
            parts.append(f"InterlockAgent = {_quoted('agent', self.agent)}")
        if self.tenant:
            parts.append(f"InterlockTenant = {_quoted('tenant', self.tenant)}")
        if self.tenants:
            parts.append(_in(self.tenants))
        return " AND ".join(parts)


def _in(tenants: tuple[str, ...]) -> str:
    return f"InterlockTenant IN ({', '.join(_quoted('tenant', tenant) for tenant in tenants)})"


def _quoted(what: str, value: str) -> str:
    if "'" in value or "\\" in value:
        raise BadInput(f"{what} {value!r} may not hold a quote or a backslash.")
    return f"'{value}'"
