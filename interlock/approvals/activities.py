"""The approvals room's activity: one verdict, evaluated once and recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from temporalio import activity

from interlock.approvals.contract import JudgeRequest
from interlock.approvals.judge import Judge
from interlock.approvals.policy import LabelsPolicy, Policy
from interlock.audit.contract import AuditEvent, Effects
from interlock.errors import UnknownTool
from interlock.tools.contract import ToolCall, Verdict
from interlock.tools.definition import Tool


class VerdictObserver(Protocol):
    """Who is told of verdicts: the audit store, through the application."""

    def judged(
        self, request: JudgeRequest, verdict: Verdict, *, call: str, at: datetime
    ) -> AuditEvent:
        """Return what is to be recorded of a verdict; the same when its activity runs again.

        Args:
            request: What was judged.
            verdict: The verdict.
            call: Id of the recorded call, '<run id>/<activity id>': equal when it runs again.
            at: When it was judged.
        """
        ...

    def record(self, events: Sequence[AuditEvent]) -> Awaitable[None]:
        """Record events."""
        ...


class PolicyActivities:
    """Activities on one policy.

    Args:
        tools: The tools of the deployment, by name.
        policy: What judges.
        observer: Who is told of verdicts.
        effects: What running totals are about; without it no total is known.
        clock: The time now, with its zone.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        policy: Policy,
        observer: VerdictObserver,
        *,
        effects: Effects | None = None,
        clock: Callable[[], datetime],
    ) -> None:
        self._tools = tools
        self._policy = policy
        self._effects = effects
        self._observer = observer
        self._clock = clock

    @activity.defn(name="policy.judge")
    async def judge(self, request: JudgeRequest) -> Verdict:
        """Judge one action.

        Raises:
            UnknownTool: this worker has no such tool.
            ConfigError: the tool's risk rule failed, or the policy gave no verdict that holds.
        """
        verdict, event = await self._judge(request)
        await self._observer.record([event])
        return verdict

    async def judge_call(self, call: ToolCall) -> tuple[Verdict, AuditEvent]:
        """Judge a call in its own activity: see `judge`. The event is the caller's to record."""
        return await self._judge(
            JudgeRequest(tool=call.tool, arguments=call.arguments, context=call.context)
        )

    def allows(self, tool: Tool) -> bool:
        """Whether every call of a tool is allowed, whatever its arguments are."""
        contract = tool.contract
        return tool.has_fixed_risk and (
            self._policy.judge(contract, {}, contract.risk).outcome == "allow"
        )

    def judges_by_labels(self) -> bool:
        """Whether the verdict on some tool may depend on text from outside."""
        policy = self._policy
        return isinstance(policy, LabelsPolicy) and any(
            policy.reads_labels(tool.contract) for tool in self._tools.values()
        )

    async def _judge(self, request: JudgeRequest) -> tuple[Verdict, AuditEvent]:
        tool = self._tools.get(request.tool)
        if tool is None:
            raise UnknownTool(
                f"this worker has no tool {request.tool!r}. It has: "
                f"{', '.join(sorted(self._tools))}. Add it to 'tools' in interlock.toml."
            )
        judge = Judge(self._policy, self._effects, clock=self._clock)
        found = await judge.verdict(tool, request.arguments, request.context, request.spans)
        verdict = found.model_copy(update={"arguments": request.arguments})
        info = activity.info()
        place = f"{info.workflow_run_id}/{info.activity_id}"
        return verdict, self._observer.judged(request, verdict, call=place, at=self._clock())
