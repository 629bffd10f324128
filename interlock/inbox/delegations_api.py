"""The JSON API: who decides in whose place."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from interlock.inbox.api import PREFIX, Described, Sending
from interlock.inbox.identity import Caller
from interlock.inbox.problems import documented
from interlock.inbox.services import Here

router = APIRouter(prefix=PREFIX, tags=["people"], responses=documented(), dependencies=[Described])


class Standing(BaseModel):
    """Somebody who may decide in the place of somebody else."""

    id: str
    giver: str = Field(description="Who is stood in for.")
    taker: str = Field(description="Who stands in.")
    until: datetime


class NewDelegation(BaseModel):
    """Whom to let decide in one's place, and until when."""

    taker: str = Field(min_length=1, max_length=200, description="Subject of whoever stands in.")
    until: AwareDatetime = Field(description="Within 92 days.")


class Ended(BaseModel):
    """A delegation that holds no more."""

    ended: str


@router.get("/delegations")
async def list_delegations(inbox: Here, person: Caller) -> list[Standing]:
    """List who stands in for the caller, and for whom the caller does; all to an admin of all."""
    return [
        Standing(id=found.id, giver=found.giver.subject, taker=found.taker, until=found.until)
        for found in await inbox.delegations.seen_by(person)
    ]


@router.post("/delegations")
async def delegate(
    inbox: Here, person: Caller, wanted: NewDelegation, sending: Sending = ""
) -> list[Standing]:
    """Let somebody decide in the caller's place until a moment. It is recorded."""
    await inbox.delegations.give(person, wanted.taker, wanted.until, sending)
    return await list_delegations(inbox, person)


@router.post("/delegations/end")
async def end_delegation(
    inbox: Here, person: Caller, delegation: Annotated[str, Query(max_length=100)]
) -> Ended:
    """End one of the caller's delegations before its time; an admin of all ends any."""
    await inbox.delegations.end(person, delegation)
    return Ended(ended=delegation)
