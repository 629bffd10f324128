"""Which open requests wait for whom."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from interlock.approvals.contract import ApprovalRequest
from interlock.approvals.identity import Refusal, refuse_person
from interlock.approvals.people import Person
from interlock.tools.contract import Risk


class RequestFilter(BaseModel):
    """Conditions that all hold; an empty one does not filter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str = ""
    risk: Risk | None = None
    tool: str = ""
    agent: str = ""
    at_least: Decimal | None = None
    """Only calls about this amount or more, where their tool says which argument that is."""
    mine: bool = False
    """Only what waits for whoever asks."""

    def fits(self, request: ApprovalRequest, *standings: Person | None) -> bool:
        """Whether a request meets all conditions; nothing waits for nobody.

        Args:
            request: An open request.
            standings: Who asks: in its own right, and in the places of others.
        """
        return (
            self.tenant in ("", request.tenant)
            and self.tool in ("", request.tool)
            and self.agent in ("", request.agent)
            and self.risk in (None, request.risk)
            and (self.at_least is None or (request.amount or 0) >= self.at_least)
            and (not self.mine or any(one and is_wanted(one, request) for one in standings))
        )


def refusal_of(person: Person, request: ApprovalRequest) -> Refusal | None:
    """Return why a person may not decide on a request now, or None; its run has the last word."""
    tier = request.at_hand(datetime.now(UTC))
    return refuse_person(person, tenant=request.tenant, who=tier.who, barred=request.barred)


def is_wanted(person: Person, request: ApprovalRequest) -> bool:
    """Whether a request waits for this person: it is asked, and was not heard yet."""
    voted = any(voice in person.voices for vote in request.votes for voice in vote.voices)
    return not voted and refusal_of(person, request) is None
