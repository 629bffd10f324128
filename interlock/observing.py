"""Writes what gateways and policy did into the audit store: one event for each thing that happened.

Ids are made from the Temporal run and the call, so that an activity that runs again writes no
second event, and a reset, which is another run, writes its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio import activity
from temporalio.common import MetricMeter

from interlock.approvals.contract import JudgeRequest
from interlock.audit.contract import AuditEvent, AuditStore, BreakerRow, BreakerState, EventKind
from interlock.context import CallContext
from interlock.errors import said
from interlock.models.contract import ModelAnswer, ModelCall
from interlock.tools.contract import ToolCall, ToolOutcome, Verdict
from interlock.workflows.contract import OpenRun


class AuditObserver:
    """Told by the model gateway, the tool gateway and the policy."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store
        self.measure_with(MetricMeter.noop)

    def measure_with(self, meter: MetricMeter) -> None:
        """Let metrics go to a meter from now on; until then nobody measures."""
        self._breakers = meter.create_gauge(
            "interlock_breaker",
            "1 for the state that a dependency's circuit breaker is in, else 0.",
        )

    async def record(self, events: Sequence[AuditEvent]) -> None:
        """Record events."""
        await self._store.record(events)

    async def run_opened(self, opening: OpenRun, release: str) -> None:
        """Record that a run started."""
        context = CallContext(
            agent=opening.agent,
            tenant=opening.tenant,
            subject=opening.subject,
            release=release,
            lineage=opening.lineage,
        )
        at = opening.opened_at
        await self._record("run", opening.agent, "started", context, at, at, outcome="started")

    async def model_called(
        self,
        call: ModelCall,
        answer: ModelAnswer | Exception,
        *,
        started_at: datetime,
        ended_at: datetime,
        prompt_ref: str,
    ) -> None:
        """Record a model call, answered or not; prompt and answer by reference."""
        if isinstance(answer, ModelAnswer):
            values: dict[str, Any] = {
                "outcome": "done",
                "cost_usd": answer.usage.cost_usd,
                "input_tokens": answer.usage.input_tokens,
                "output_tokens": answer.usage.output_tokens,
                "refs": {"prompt": prompt_ref, "answer": answer.ref},
                "details": {"model": answer.model, "fell_back": list(answer.fell_back)},
            }
        else:
            values = {
                "outcome": "failed",
                "refs": {"prompt": prompt_ref} if prompt_ref else {},
                "details": {"error": said(answer)},
            }
        await self._record(
            "model_call",
            call.role,
            f"{call.call_id}/{_attempt()}",
            call.context,
            started_at,
            ended_at,
            **values,
        )

    def tool_called(
        self,
        call: ToolCall,
        outcome: ToolOutcome,
        *,
        started_at: datetime,
        ended_at: datetime,
        token: int,
    ) -> AuditEvent:
        """Return the event of how an attempt at a tool call ended."""
        details = {
            "arguments": call.arguments,
            "effect_key": call.effect_key,
            "replayed": outcome.replayed,
            "token": token,
            "code": outcome.code,
            "message": outcome.message,
        }
        return _event(
            "tool_call",
            call.tool,
            # Not the call id: a node's own call gets another one when its workflow task is lost
            # with a worker and made again.
            f"{call.effect_key}/{token}/{outcome.status}",
            call.context,
            started_at,
            ended_at,
            outcome="cached" if outcome.cached else outcome.status,
            details={key: value for key, value in details.items() if value not in ("", None)},
        )

    async def incident(self, call: ToolCall, what: str, *, at: datetime, token: int) -> None:
        """Record that an attempt came too late and changed nothing."""
        await self._record(
            "incident",
            call.tool,
            f"{call.effect_key}/{token}",
            call.context,
            at,
            at,
            outcome="recorded",
            details={"what": what, "effect_key": call.effect_key, "token": token},
        )

    async def breaker_changed(self, call: ToolCall, breaker: BreakerRow, *, at: datetime) -> None:
        """Record that a call has opened or closed the breaker of its dependency."""
        await self._record(
            "breaker",
            breaker.dependency,
            f"{breaker.dependency}/{breaker.token}",
            call.context,
            at,
            at,
            outcome=str(breaker.state),
            details={"tool": call.tool, "why": breaker.why},
        )

    def breaker_seen(self, breaker: BreakerRow) -> None:
        """Set the metric of a breaker: one series for each state, of which one is 1."""
        for state in BreakerState:
            labels = {"dependency": breaker.dependency, "state": str(state)}
            self._breakers.set(int(state is breaker.state), labels)

    def judged(
        self, request: JudgeRequest, verdict: Verdict, *, call: str, at: datetime
    ) -> AuditEvent:
        """Return the event of a verdict."""
        said = verdict.model_dump(mode="json", include={"rule", "ask", "totals", "labels"})
        return _event(
            "verdict",
            request.tool,
            call,
            request.context,
            at,
            at,
            outcome=verdict.outcome,
            details={
                "arguments": request.arguments,
                "policy": verdict.policy,
                "risk": verdict.risk,
                "reason": verdict.reason,
                **{key: value for key, value in said.items() if value},
            },
        )

    async def _record(self, *parts: Any, **values: Any) -> None:
        await self._store.record([_event(*parts, **values)])


def _event(
    kind: EventKind,
    name: str,
    key: str,
    context: CallContext,
    started_at: datetime,
    ended_at: datetime,
    **values: Any,
) -> AuditEvent:
    workflow_id, run_id = _place(context)
    return AuditEvent(
        id=f"{run_id}/{kind}/{key}",
        kind=kind,
        name=name,
        workflow_id=workflow_id,
        run_id=run_id,
        context=context,
        started_at=started_at,
        ended_at=ended_at,
        **values,
    )


def _attempt() -> int:
    """Return the attempt of the running activity: a failed one is an event of its own."""
    return activity.info().attempt if activity.in_activity() else 1


def _place(context: CallContext) -> tuple[str, str]:
    """Return workflow and run id: of the activity, or of the lineage outside a workflow."""
    if activity.in_activity():
        info = activity.info()
        return info.workflow_id or "", info.workflow_run_id or ""
    parts = context.lineage.split("/")
    return "/".join(parts[1:-1]) or context.lineage, parts[-1]
