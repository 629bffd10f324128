"""The page of delegations: who decides in whose place, given and ended by a form."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from interlock.approvals.people import EVERY_TENANT, Person
from interlock.errors import BadInput, InterlockError
from interlock.inbox.identity import Changer, Reader
from interlock.inbox.problems import code_of, status_of
from interlock.inbox.rendering import render
from interlock.inbox.services import Here, Inbox
from interlock.runs.delegations import LONGEST

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_DAY = timedelta(days=1)
_SAID = {
    "given": "Given. It is recorded, and ends by itself.",
    "ended": "Ended. It is recorded.",
}


@router.get("/delegations")
async def delegations(request: Request, inbox: Here, person: Reader, said: str = "") -> Response:
    """Show who stands in for this person and for whom it does, and a form to give one."""
    return await _page(request, inbox, person, said=_SAID.get(said, ""))


@router.post("/delegations")
async def give(request: Request, inbox: Here, person: Changer) -> Response:
    """Let somebody decide in this person's place until the end of a day."""
    form = dict(await request.form())
    try:
        until = _end_of(str(form.get("until", "")))
        taker, sending = str(form.get("taker", "")).strip(), str(form.get("sending", ""))
        await inbox.delegations.give(person, taker, until, sending)
    except InterlockError as error:
        return await _page(request, inbox, person, problem=error, sent=form)
    return RedirectResponse("/delegations?said=given", 303)


@router.post("/delegations/{delegation}/end")
async def end(request: Request, inbox: Here, person: Changer, delegation: str) -> Response:
    """End a delegation before its time."""
    try:
        await inbox.delegations.end(person, delegation)
    except InterlockError as error:
        return await _page(request, inbox, person, problem=error)
    return RedirectResponse("/delegations?said=ended", 303)


async def _page(
    request: Request,
    inbox: Inbox,
    person: Person,
    *,
    problem: InterlockError | None = None,
    sent: Mapping[str, Any] | None = None,
    said: str = "",
) -> Response:
    today = datetime.now(UTC).date()
    found = await inbox.delegations.seen_by(person)
    return render(
        request,
        "delegations.html",
        status_of(problem) if problem else 200,
        person=person,
        form_token=inbox.sessions.form_token(request),
        active="delegations",
        found=[(one, one.may_be_ended_by(person)) for one in found],
        may_give=person.may_be_asked,
        colleagues=_colleagues(inbox, person),
        first=today,
        last=(datetime.now(UTC) + LONGEST - _DAY).date(),
        sending=uuid.uuid4().hex,
        sent=sent or {},
        problem=problem,
        code=code_of(problem) if problem else "",
        said=said,
    )


def _colleagues(inbox: Inbox, person: Person) -> list[Person]:
    """Return whom the form proposes: people of the configuration with a tenant in common."""
    return [
        other
        for other in inbox.people.all.values()
        if other.subject != person.subject
        and (EVERY_TENANT in person.tenants or any(map(person.may_see, other.tenants)))
    ]


def _end_of(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(tzinfo=UTC)) + _DAY
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{text[:40]!r} is no day. Write it as 2026-12-24.") from error
