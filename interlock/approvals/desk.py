"""The desk of a run: requests that wait, and the rules a decision must pass to count.

Pure state, without a clock: the workflow passes the time in. Handlers call `submit`, which only
changes this state; the graph waits for `take`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from interlock.approvals.contract import ApprovalRequest, Decision, DecisionAnswer
from interlock.errors import DecisionRefused, wrong_fields

Check = Callable[[dict[str, Any]], dict[str, Any]]
"""Validates edited arguments and returns them in canonical form, or raises `BadArguments`."""


class Desk:
    """Requests of one run and the decisions on them. The first valid decision wins."""

    def __init__(self, decided: dict[str, str] | None = None) -> None:
        """Start with the verbs of requests that were decided before, by request id."""
        self.decided: dict[str, str] = dict(decided or {})
        self._pending: dict[str, ApprovalRequest] = {}
        self._checks: dict[str, Check | None] = {}
        self._decisions: dict[str, Decision] = {}

    @property
    def pending(self) -> tuple[ApprovalRequest, ...]:
        """Requests without a decision, oldest first."""
        return tuple(
            request for key, request in self._pending.items() if key not in self._decisions
        )

    def open(self, request: ApprovalRequest, check: Check | None = None) -> None:
        """Put a request on the desk; `check` validates the arguments of an edit."""
        self._pending[request.id] = request
        self._checks[request.id] = check

    def knows(self, request_id: str) -> bool:
        """Whether the request waits here or was decided here."""
        return request_id in self._pending or request_id in self.decided

    def submit(self, decision: Decision, now: datetime) -> DecisionAnswer:
        """Accept a decision or say why not. A refusal changes nothing."""
        refusal = self._refusal(decision, now)
        if refusal is not None:
            code, message = refusal
            return DecisionAnswer(
                accepted=False, request_id=decision.request_id, code=code, message=message
            )
        self._decisions[decision.request_id] = decision
        return DecisionAnswer(accepted=True, request_id=decision.request_id)

    def is_decided(self, request_id: str) -> bool:
        """Whether a decision for the request lies ready."""
        return request_id in self._decisions

    def take(self, request_id: str) -> Decision:
        """Remove the request with its decision and remember that it is used."""
        decision = self._decisions.pop(request_id)
        self._remove(request_id, decision.verb)
        return decision

    def withdraw(self, request_id: str, why: str) -> None:
        """Remove a request nobody decided: `expired` or `cancelled`."""
        self._decisions.pop(request_id, None)
        self._remove(request_id, why)

    def _remove(self, request_id: str, how: str) -> None:
        self._pending.pop(request_id, None)
        self._checks.pop(request_id, None)
        self.decided[request_id] = how

    def _refusal(self, decision: Decision, now: datetime) -> tuple[str, str] | None:
        key = decision.request_id
        if key in self._decisions or key in self.decided:
            return self._refuse_late(key)
        request = self._pending.get(key)
        if request is None:
            return (
                "UNKNOWN_REQUEST",
                f"this run has no request {key!r}. Is it another run's? List the open ones with "
                "the query 'pending_approvals' or `interlock approvals`.",
            )
        if now >= request.expires_at:
            return "EXPIRED", f"request {key!r} expired at {request.expires_at.isoformat()}."
        if decision.digest != request.digest:
            return (
                "DIGEST_MISMATCH",
                f"the decision is about {decision.digest[:12]!r}, the request about "
                f"{request.digest[:12]!r}: the action is not the one that was reviewed. Read the "
                "request again.",
            )
        return self._refuse_verb(decision, request)

    def _refuse_late(self, key: str) -> tuple[str, str]:
        if self.decided.get(key) == "expired":
            return "EXPIRED", f"request {key!r} has expired. The agent was told; it may ask again."
        how = self.decided.get(key) or self._decisions[key].verb
        return "ALREADY_DECIDED", f"request {key!r} was decided already: {how}. Nothing changed."

    def _refuse_verb(self, decision: Decision, request: ApprovalRequest) -> tuple[str, str] | None:
        if decision.verb not in request.allowed:
            return (
                "VERB_NOT_ALLOWED",
                f"{decision.verb!r} does not fit this request. Allowed: "
                f"{', '.join(request.allowed)}.",
            )
        if decision.verb != "edit":
            return None
        if decision.arguments is None:
            return "BAD_ARGUMENTS", "'edit' needs 'arguments': the complete new arguments."
        check = self._checks[request.id]
        if check is None:
            return None
        try:
            check(decision.arguments)
        except Exception as error:  # noqa: BLE001  whatever the tool's model says goes to the reviewer
            return "BAD_ARGUMENTS", str(error)
        return None


def read_decision(data: Any) -> Decision:
    """Return the decision that a signal or update carries.

    Raises:
        DecisionRefused: it is malformed; the message names each wrong field.
    """
    try:
        return Decision.model_validate(data)
    except ValidationError as error:
        raise DecisionRefused(
            f"malformed decision: {wrong_fields(error, 'decision')}. A decision is "
            '{"request_id": "...", "verb": "approve|edit|reject|respond", "digest": "..."}.',
            code="MALFORMED",
        ) from error
