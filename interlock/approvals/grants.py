"""From what people decided to what the activity checks. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from interlock.approvals.contract import ApprovalRequest
from interlock.approvals.desk import Cast, Ruling
from interlock.tools.contract import Grant, Vote


def grant_of(
    request: ApprovalRequest,
    ruling: Ruling,
    votes: Iterable[Cast],
    decided_at: datetime,
    expires_at: datetime,
) -> Grant:
    """Return the grant of a ruling, bound to the action of the request's digest.

    Args:
        request: What was asked. Of an edit: with the digest of the edited action.
        ruling: What was decided.
        votes: The decisions that it rests on; signed ones go along, to be verified again.
        decided_at: When it was decided.
        expires_at: Until when the effect may be made.
    """
    signed = tuple(
        Vote(
            decision=vote.decision.model_dump(mode="json", exclude_defaults=True), asked=vote.asked
        )
        for vote in votes
        if vote.decision.is_signed
    )
    people = dict.fromkeys(vote.decision.signed_off for vote in ruling.votes)
    proof: dict[str, Any] = {"by_policy": not ruling.votes}
    if signed:
        needed = 1 if ruling.decision.verb == "edit" else ruling.tier.quorum
        unverified = len(ruling.votes) - len(signed)  # where a run takes both
        proof = {
            "quorum": max(needed - unverified, 1),
            "who": ruling.tier.who,
            "barred": request.barred,
        }
    return Grant(
        request_id=request.id,
        digest=request.digest,
        reviewer=", ".join(people) or ruling.decision.reviewer,
        decided_at=decided_at,
        expires_at=expires_at,
        votes=signed,
        **proof,
    )
