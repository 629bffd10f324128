"""Asks the policy of today about requests that wait, and lets it ask for more care, never for less."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from interlock.approvals.contract import ApprovalRequest, JudgeRequest, Rejudged
from interlock.approvals.tiers import asked_tiers, asks_for_more
from interlock.errors import InterlockError
from interlock.tools.contract import Ask, Verdict
from interlock.workflows import calls
from interlock.workflows.run import Run


async def rejudge(run: Run) -> tuple[Rejudged, ...]:
    """Judge every action that waits once more, and return what became of each request."""
    waiting = [item for item in run.desk.pending_at(workflow.now()) if item.kind == "action"]
    return tuple([await _rejudge(run, request) for request in waiting])


async def _rejudge(run: Run, request: ApprovalRequest) -> Rejudged:
    context = run.context().model_copy(update={"node": request.node})
    asked = JudgeRequest(
        tool=request.tool,
        arguments=request.arguments,
        context=context,
        spans=run.spans(request.arguments),
    )
    try:
        verdict = await calls.judge(asked, summary=f"verdict on {request.tool} again")
    except InterlockError as error:  # what only the graph can carry out, for example
        return _unchanged(request, error.message)
    denied = verdict.outcome == "deny"
    if not denied and not _is_more(run, request, verdict):
        return _unchanged(request, f"it does not ask for more care: {verdict.reason}")
    if not run.desk.replace(request.id, verdict):
        return _unchanged(request, "it was decided meanwhile.")
    outcome = "denied" if denied else "asked anew"
    return Rejudged(request_id=request.id, outcome=outcome, why=verdict.reason)


def _is_more(run: Run, request: ApprovalRequest, verdict: Verdict) -> bool:
    terms, now = verdict.ask or Ask(), workflow.now()
    if verdict.outcome != "ask":
        return False
    deadline = timedelta(seconds=run.terms.deadline_seconds)
    seen = request.model_copy(update={"asked": request.at(now)})
    return asks_for_more(seen, asked_tiers("action", terms, now, deadline), terms.on_timeout)


def _unchanged(request: ApprovalRequest, why: str) -> Rejudged:
    return Rejudged(request_id=request.id, outcome="unchanged", why=why)
