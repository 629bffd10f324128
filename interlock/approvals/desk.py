"""The desk of a run: requests that wait, and the rules a decision must pass to count.

Pure state, without a clock: the workflow passes the time in. Handlers call `submit`, which only
changes this state; the graph waits for `take`. Signatures are verified before, by whoever submits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from interlock.approvals.contract import (
    ApprovalRequest,
    AskedTier,
    CastVote,
    Decision,
    DecisionAnswer,
)
from interlock.approvals.identity import Refusal, refuse_person
from interlock.errors import BadResult, DecisionRefused, wrong_fields
from interlock.tools.contract import AskedAction, Verdict

Check = Callable[[dict[str, Any]], dict[str, Any]]
"""Validates edited arguments and returns them in canonical form, or raises `BadArguments`."""

CheckAnswer = Callable[[Any], Any]
"""Validates an answer in the tool's place, or raises `BadResult`."""

_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{86}==")
"""The form of an Ed25519 signature."""

MOST_VERIFIED = 200
"""Signed decisions on one request that are looked at: forged ones cannot make a history long.
After them nobody's signed no is heard, so silence allows nothing."""


class Cast(NamedTuple):
    """A decision that counts for a request."""

    decision: Decision
    asked: AskedAction | None = None
    """Of an edit that led to the request: what it was about before."""


class Ruling(NamedTuple):
    """How a request was decided."""

    decision: Decision
    """The decision that ended it."""
    votes: tuple[Cast, ...]
    """Every decision that it rests on, that one too."""
    tier: AskedTier
    """Who was asked then."""


@dataclass
class _Open:
    """A request that waits."""

    request: ApprovalRequest
    check: Check | None
    check_answer: CheckAnswer | None
    votes: list[Cast]
    asked: int = 0
    nonces: list[str] = field(default_factory=list)
    verified: int = 0
    decision: Decision | None = None
    replaced: Verdict | None = None

    @property
    def is_over(self) -> bool:
        """Whether it waits no more."""
        return self.decision is not None or self.replaced is not None

    def asked_at(self, now: datetime) -> int:
        """Return which tier is asked; a tier whose time is over never comes back."""
        return max(self.asked, self.request.at(now))

    def move_to(self, asked: int) -> None:
        """Ask a tier; when it is another one, its people begin to count anew."""
        if asked != self.asked:
            self.asked, self.votes = asked, []

    def seen_at(self, now: datetime) -> ApprovalRequest:
        """Return the request as it is at a time."""
        asked = self.asked_at(now)
        votes = tuple(
            CastVote(
                reviewer=vote.decision.decided_by,
                verified=vote.decision.is_signed,
                comment=vote.decision.comment,
                acts_for=vote.decision.acts_for,
            )
            for vote in self.votes
            if asked == self.asked
        )
        return self.request.model_copy(update={"asked": asked, "votes": votes})


class Desk:
    """Requests of one run and the decisions on them.

    One person's word is enough to reject, to answer or to edit. To approve, as many different
    people as the tier that is asked needs have to; with one, the first valid decision wins.

    Args:
        decided: The verbs of requests that were decided before, by request id.
        require_signature: Decisions without a signature do not count.
    """

    def __init__(
        self, decided: dict[str, str] | None = None, *, require_signature: bool = False
    ) -> None:
        self.decided: dict[str, str] = dict(decided or {})
        self._require_signature = require_signature
        self._open: dict[str, _Open] = {}

    @property
    def pending(self) -> tuple[ApprovalRequest, ...]:
        """Requests without a decision, oldest first, as they were put here."""
        return tuple(item.request for item in self._open.values() if not item.is_over)

    def pending_at(self, now: datetime) -> tuple[ApprovalRequest, ...]:
        """Return the requests without a decision, oldest first, with whom they ask at a time."""
        return tuple(item.seen_at(now) for item in self._open.values() if not item.is_over)

    def open(
        self,
        request: ApprovalRequest,
        check: Check | None = None,
        votes: Iterable[Cast] = (),
        check_answer: CheckAnswer | None = None,
    ) -> None:
        """Put a request on the desk.

        Args:
            request: The request.
            check: Validates the arguments of an edit.
            votes: Decisions that count from the beginning: fewer than it needs.
            check_answer: Validates an answer, where code takes it as the tool's result.
        """
        self._open[request.id] = _Open(request, check, check_answer, list(votes))

    def knows(self, request_id: str) -> bool:
        """Whether the request waits here or was decided here."""
        return request_id in self._open or request_id in self.decided

    def request_at(self, request_id: str, now: datetime) -> ApprovalRequest:
        """Return a request that waits, with whom it asks at a time."""
        return self._open[request_id].seen_at(now)

    def check(self, decision: Decision, now: datetime) -> DecisionAnswer | None:
        """Return why a decision does not count, or None. Nothing is changed."""
        refusal = self._refusal(decision, now)
        if refusal is None:
            return None
        return DecisionAnswer(
            accepted=False,
            request_id=decision.request_id,
            code=refusal.code,
            message=refusal.message,
        )

    def may_verify(self, request_id: str) -> bool:
        """Whether one more signature on a request may be looked at; it counts as looked at."""
        item = self._open[request_id]
        item.verified += 1
        return item.verified <= MOST_VERIFIED

    def is_exhausted(self, request_id: str) -> bool:
        """Whether no further signature on a request is looked at."""
        return self._open[request_id].verified >= MOST_VERIFIED

    def submit(self, decision: Decision, now: datetime) -> DecisionAnswer:
        """Accept a decision or say why not. A refusal changes nothing."""
        refused = self.check(decision, now)
        if refused is not None:
            return refused
        item = self._open[decision.request_id]
        item.move_to(item.asked_at(now))
        item.votes.append(Cast(decision))
        item.nonces.append(decision.nonce)
        quorum = item.seen_at(now).tier.quorum if decision.verb == "approve" else 0
        missing = quorum - len(item.votes)
        if missing > 0:
            return DecisionAnswer(accepted=True, request_id=decision.request_id, missing=missing)
        item.decision = decision
        return DecisionAnswer(accepted=True, request_id=decision.request_id)

    def is_decided(self, request_id: str) -> bool:
        """Whether a decision for the request lies ready."""
        return self._open[request_id].decision is not None

    def is_over(self, request_id: str) -> bool:
        """Whether the request waits no more: it is decided, or another verdict stands in its place."""
        return self._open[request_id].is_over

    def replace(self, request_id: str, verdict: Verdict) -> bool:
        """Let another verdict stand in a request's place; False when it does not wait any more."""
        item = self._open.get(request_id)
        if item is None or item.is_over:
            return False
        item.replaced = verdict
        return True

    def replaced_by(self, request_id: str) -> Verdict | None:
        """Return the verdict that stands in a request's place, if one does."""
        return self._open[request_id].replaced

    def take(self, request_id: str) -> Ruling:
        """Remove the request with its decision and remember that it is used."""
        item = self._open[request_id]
        if item.decision is None:
            raise KeyError(request_id)
        self._remove(request_id, item.decision.verb)
        votes = item.votes if item.decision.verb == "approve" else item.votes[-1:]
        tier = item.request.model_copy(update={"asked": item.asked}).tier
        return Ruling(item.decision, tuple(votes), tier)

    def withdraw(self, request_id: str, why: str) -> None:
        """Remove a request nobody decided: `expired` or `cancelled`."""
        self._remove(request_id, why)

    def _remove(self, request_id: str, how: str) -> None:
        self._open.pop(request_id, None)
        self.decided[request_id] = how

    def _refusal(self, decision: Decision, now: datetime) -> Refusal | None:
        key = decision.request_id
        item = self._open.get(key)
        if key in self.decided or (item and item.is_over):
            return self._refuse_late(key)
        if item is None:
            return Refusal(
                "UNKNOWN_REQUEST",
                f"this run has no request {key!r}. Is it another run's? List the open ones with "
                "the query 'pending_approvals' or `interlock approvals`.",
            )
        request = item.request
        if now >= request.expires_at and not _counts_late(decision, request):
            return Refusal(
                "EXPIRED", f"request {key!r} expired at {request.expires_at.isoformat()}."
            )
        return (
            self._refuse_proof(decision, request)
            or _refuse_content(decision, request)
            or _refuse_voter(decision, item, now)
            or _refuse_arguments(decision, item.check)
            or _refuse_answer(decision, item.check_answer)
        )

    def _refuse_late(self, key: str) -> Refusal:
        if self.decided.get(key) == "expired":
            return Refusal(
                "EXPIRED", f"request {key!r} has expired. The agent was told; it may ask again."
            )
        item = self._open.get(key)
        decision = item.decision if item else None
        how = self.decided.get(key) or (decision.verb if decision else "replaced")
        return Refusal(
            "ALREADY_DECIDED", f"request {key!r} was decided already: {how}. Nothing changed."
        )

    def _refuse_proof(self, decision: Decision, request: ApprovalRequest) -> Refusal | None:
        if not decision.is_signed:
            if not self._require_signature:
                return None
            return Refusal(
                "UNSIGNED",
                "this run takes signed decisions only. Decide through the inbox, which signs for "
                "the person it has authenticated.",
            )
        if decision.lineage != request.lineage:
            return Refusal(
                "OTHER_RUN", f"it was signed for the run {decision.lineage!r}. Decide in each run."
            )
        if not _SIGNATURE.fullmatch(decision.signature):
            return Refusal("FORGED", "its signature is none: 64 bytes in Base64.")
        return None


def _counts_late(decision: Decision, request: ApprovalRequest) -> bool:
    """Whether a decision counts for as long as nothing has come of its request's deadline.

    When no worker runs, a decision that came in time is read after it. What a person forbids or
    changes must not be done as it was by default.
    """
    return request.on_timeout == "allow" and decision.verb != "approve"


def _refuse_content(decision: Decision, request: ApprovalRequest) -> Refusal | None:
    if decision.digest != request.digest:
        return Refusal(
            "DIGEST_MISMATCH",
            f"the decision is about {decision.digest[:12]!r}, the request about "
            f"{request.digest[:12]!r}: the action is not the one that was reviewed. Read the "
            "request again.",
        )
    if decision.verb not in request.allowed:
        return Refusal(
            "VERB_NOT_ALLOWED",
            f"{decision.verb!r} does not fit this request. Allowed: {', '.join(request.allowed)}.",
        )
    return None


def _refuse_voter(decision: Decision, item: _Open, now: datetime) -> Refusal | None:
    request = item.seen_at(now)
    if decision.by is not None:
        refusal = refuse_person(
            decision.by, tenant=request.tenant, who=request.tier.who, barred=request.barred
        )
        if refusal is not None:
            return refusal
    if decision.nonce and decision.nonce in item.nonces:
        return Refusal("REPLAYED", "this very decision was taken before. Nothing changed.")
    if decision.verb != "approve":
        return None
    heard = [voice for vote in request.votes for voice in vote.voices]
    twice = [voice for voice in decision.voices if voice in heard]
    if twice:
        return Refusal(
            "ALREADY_VOTED",
            f"{twice[0]!r} has approved this already: somebody else has to.",
        )
    return None


def _refuse_arguments(decision: Decision, check: Check | None) -> Refusal | None:
    if decision.verb == "approve" and decision.arguments is not None:
        return Refusal(
            "BAD_ARGUMENTS",
            "'approve' takes no 'arguments': it is for what the request shows. Send 'edit'.",
        )
    if decision.verb != "edit":
        return None
    if decision.arguments is None:
        return Refusal("BAD_ARGUMENTS", "'edit' needs 'arguments': the complete new arguments.")
    if check is None:
        return None
    try:
        check(decision.arguments)
    except Exception as error:  # noqa: BLE001  whatever the tool's model says goes to the reviewer
        return Refusal("BAD_ARGUMENTS", str(error))
    return None


def _refuse_answer(decision: Decision, check: CheckAnswer | None) -> Refusal | None:
    if decision.verb != "respond" or check is None:
        return None
    try:
        check(decision.result)
    except BadResult as error:
        return Refusal(
            "BAD_RESULT",
            "the code that makes this call needs what the tool would return, as JSON: "
            f"{error.details['wrong']} Answer so, or reject and say why.",
        )
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
