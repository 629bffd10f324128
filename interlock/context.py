"""Who a call is for: the one thing that every door's request carries. Safe in a workflow."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class CallContext(BaseModel):
    """The same in the model, tool, memory and audit calls of a run."""

    model_config = ConfigDict(frozen=True)

    agent: str
    tenant: str = "default"
    subject: str = ""
    """Opaque id of the person the run is about; never a name or an address."""
    release: str = ""
    lineage: str = ""
    """Namespace, workflow id and first execution run id, joined by '/': stable for a run's life,
    through activity retries, Temporal resets and continue-as-new."""
    node: str = ""
    """The graph node that makes the call."""
