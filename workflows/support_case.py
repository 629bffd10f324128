"""A support case: hosts the copilot and returns what a help desk wants to file."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ConfigDict

    from interlock.workflows.agent import HostsAgent
    from interlock.workflows.contract import Carried, RunRequest, Usage


class Case(BaseModel):
    """A customer's message as it reaches the help desk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str
    tenant: str = "default"
    subject: str = ""
    """Number of the customer who writes, such as C-0007, as the channel has checked it; empty when
    nobody has. Then what a stranger must not do goes to a person."""
    carried: Carried | None = None
    """Set by continue-as-new only."""


class ClosedCase(BaseModel):
    """How a case ended."""

    model_config = ConfigDict(frozen=True)

    status: str
    intent: str
    reply: str
    reply_source: str
    done: dict[str, Any]
    """What was done, or why not; empty when nothing was asked for."""
    usage: Usage


@workflow.defn
class SupportCase(HostsAgent):
    """One support case. It takes the same signals, updates and queries as `AgentWorkflow`."""

    @workflow.init
    def __init__(self, case: Case) -> None:
        super().__init__()
        self._case = case

    def continued(self, request: RunRequest) -> list[Any]:
        """Go on with the same case."""
        return [self._case.model_copy(update={"carried": request.carried})]

    @workflow.run
    async def run(self, case: Case) -> ClosedCase:
        """Let the copilot answer, and file how it ended."""
        result = await self.host(
            RunRequest(
                agent="support",
                input={"messages": [case.message], "customer_id": case.subject},
                tenant=case.tenant,
                subject=case.subject,
                carried=case.carried,
            )
        )
        state = result.output
        return ClosedCase(
            status=result.status,
            intent=state.get("intent", ""),
            reply=result.reply,
            reply_source=state.get("reply_source", ""),
            done=state.get("done") or {},
            usage=result.usage,
        )
