"""The durable wait for people: every gate emits commands, so a removed gate is seen by replay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow

from interlock.approvals.contract import ApprovalRequest, Decision, Kind
from interlock.approvals.desk import MOST_VERIFIED, Cast, Check, CheckAnswer, Ruling
from interlock.approvals.grants import grant_of
from interlock.approvals.tiers import asked_tiers
from interlock.canonical import digest as digest_of
from interlock.errors import ApprovalExpired
from interlock.tools.amounts import amount_of
from interlock.tools.contract import Ask, Grant, Risk, Span, ToolContract, Verdict
from interlock.workflows.reminding import remind
from interlock.workflows.run import Run
from interlock.workflows.search import RISK, STATUS

_EXHAUSTED = f"{MOST_VERIFIED} signed decisions on it were looked at and no more, so a no may not have been heard."


class Replaced(Exception):
    """The policy of today says something else of a request that waited."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict


class Gate:
    """Puts requests on the run's desk and waits for their decisions."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def request(
        self,
        *,
        kind: Kind,
        call_id: str,
        digest: str,
        why: str,
        risk: Risk,
        allowed: tuple[str, ...],
        tool: str = "",
        arguments: dict[str, Any] | None = None,
        payload: Any = None,
        terms: Ask | None = None,
        spans: tuple[Span, ...] = (),
        contract: ToolContract | None = None,
    ) -> ApprovalRequest:
        """Make a request that waits for as long as its terms say, or else those of the run.

        Its id is the call id and the digest; a request that expired or was used before and is
        asked again gets the next number.
        """
        now, context, terms = workflow.now(), self._run.context(), terms or Ask()
        deadline = timedelta(seconds=self._run.terms.deadline_seconds)
        tiers = asked_tiers(kind, terms, now, deadline)
        return ApprovalRequest(
            id=self._free_id(f"{call_id}:{digest[:12]}"),
            kind=kind,
            tool=tool,
            arguments=arguments or {},
            digest=digest,
            why=why,
            risk=risk,
            agent=context.agent,
            tenant=context.tenant,
            node=context.node,
            allowed=allowed,
            requested_at=now,
            expires_at=tiers[-1].until,
            on_timeout=terms.on_timeout,
            payload=payload,
            lineage=self._run.lineage,
            barred=self._run.barred,
            tiers=tiers,
            spans=spans,
            amount=amount_of(contract, arguments or {}) if contract else None,
            undo=contract.undo if contract else "",
        )

    def _free_id(self, stem: str) -> str:
        found, number = stem, 1
        while self._run.desk.knows(found):
            number += 1
            found = f"{stem}:{number}"
        return found

    async def ask(
        self,
        request: ApprovalRequest,
        check: Check | None = None,
        votes: Iterable[Cast] = (),
        check_answer: CheckAnswer | None = None,
    ) -> Ruling:
        """Wait until `request` is decided.

        Args:
            request: The request.
            check: Validates the arguments of an edit.
            votes: Decisions that count from the beginning.
            check_answer: Validates an answer in the tool's place.

        Raises:
            ApprovalExpired: nobody decided in time (details: `refusal`, when so many signed decisions
                came that no further one counted).
            Replaced: the policy of today says something else.
            CancelledError: the run is cancelled.
        """
        self._run.refuse_when_cancelled()
        desk = self._run.desk
        desk.open(request, check, votes, check_answer)
        self._note(request, "requested", tier=request.tier.tier)
        self._announce()
        reminding = remind(self._run, request)
        try:
            await self._wait(request)
        except asyncio.CancelledError:
            self._end(request, "cancelled")
            raise
        finally:
            if reminding is not None:
                reminding.cancel()
        verdict = desk.replaced_by(request.id)
        if verdict is not None:
            self._end(request, "replaced")
            raise Replaced(verdict)
        if not desk.is_decided(request.id):
            raise self._expired(request)
        ruling = desk.take(request.id)
        self._note_decision(request, ruling.decision)
        self._announce()
        return ruling

    async def _wait(self, request: ApprovalRequest) -> None:
        """Wait until a request is over, or its time is."""
        desk, verifying = self._run.desk, self._run.verifying
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: desk.is_over(request.id),
                timeout=request.expires_at - workflow.now(),
                timeout_summary=f"deadline of {request.tool or request.kind}",
            )
        if request.on_timeout == "allow" and request.id in verifying:
            # A no that has come is heard before the default stands, however late it is read.
            await workflow.wait_condition(
                lambda: desk.is_over(request.id) or request.id not in verifying
            )

    def _expired(self, request: ApprovalRequest) -> ApprovalExpired:
        more, noted, details = "", {}, {"request_id": request.id}
        if self._run.desk.is_exhausted(request.id):
            more, noted = f" {_EXHAUSTED}", {"code": "TOO_MANY_DECISIONS", "why": _EXHAUSTED}
            details["refusal"] = "TOO_MANY_DECISIONS"
        self._end(request, "expired", **noted)
        return ApprovalExpired(
            f"nobody decided on {request.tool or request.kind!r} before "
            f"{request.expires_at.isoformat()}: it was not done.{more} Ask again if it is still "
            "wanted.",
            **details,
        )

    def approve_unanswered(self, request: ApprovalRequest) -> Ruling:
        """Return the approval that the policy gives to a request nobody decided in time."""
        decision = Decision(
            request_id=request.id,
            verb="approve",
            digest=request.digest,
            comment="Nobody decided in time; the policy says on_timeout: allow.",
            reviewer="policy",
        )
        self._note_decision(request, decision)
        return Ruling(decision, (), request.tier)

    def grant(self, request: ApprovalRequest, ruling: Ruling, votes: Iterable[Cast]) -> Grant:
        """Turn a ruling into what the activity checks, bound to the action of the request."""
        now = workflow.now()
        expires_at = now + timedelta(seconds=self._run.terms.grant_seconds)
        return grant_of(request, ruling, votes, now, expires_at)

    def _end(self, request: ApprovalRequest, how: str, **details: Any) -> None:
        self._run.desk.withdraw(request.id, how)
        self._note(request, how, **details)
        self._announce()

    def _note(self, request: ApprovalRequest, what: str, **details: Any) -> None:
        subject = request.tool or request.kind
        self._run.note("decision", subject, what, workflow.now(), request=request.id, **details)

    def _note_decision(self, request: ApprovalRequest, decision: Decision) -> None:
        self._run.note(
            "decision",
            request.tool or request.kind,
            decision.verb,
            workflow.now(),
            request=request.id,
            reviewer=decision.signed_off,
            verified=decision.is_signed,
            comment=decision.comment,
            digest=request.digest,
            arguments=decision.arguments,
        )

    def _announce(self) -> None:
        pending = self._run.desk.pending
        if pending:
            highest = max((item.risk for item in pending), key=list(Risk).index)
            updates = [STATUS.value_set("waiting"), RISK.value_set(str(highest))]
        else:
            updates = [STATUS.value_set("running"), RISK.value_unset()]
        workflow.upsert_search_attributes(updates)
        workflow.upsert_memo({"pending": [item.id for item in pending]})


def question_digest(value: Any, tenant: str, release: str) -> str:
    """Return the digest that an answer to an `interrupt()` is bound to."""
    return digest_of({"question": value, "tenant": tenant, "release": release})
