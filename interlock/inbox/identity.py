"""Who asks: a browser by its session, a program by a bearer token or an API key."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from interlock.approvals.people import Person
from interlock.errors import NotAllowed, NotSignedIn
from interlock.inbox.people import SignedIn, person_of
from interlock.inbox.services import Here, Inbox
from interlock.inbox.sessions import KEY_PREFIX

_SAFE = ("GET", "HEAD", "OPTIONS")
FORM_TOKEN = "X-Form-Token"  # noqa: S105  the name of a header


async def who_calls(request: Request, inbox: Here) -> Person:
    """Return who calls the API.

    Raises:
        NotSignedIn: nobody, or with a token that does not hold.
        NotAllowed: a browser's change that did not come from a page of the inbox.
        TooManyRequests: too often.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not token:
            raise NotSignedIn("send 'Authorization: Bearer TOKEN', with an API key or a token.")
        person = await _bearer(request, inbox, token.strip())
    else:
        person = await _with_cookie(request, inbox)
        if request.method not in _SAFE:
            check_origin(request, inbox)
            inbox.sessions.check_form_token(request, request.headers.get(FORM_TOKEN, ""))
    await inbox.limits.count_request(person.subject)
    return person


async def _with_cookie(request: Request, inbox: Inbox) -> Person:
    try:
        return await _signed_in(request, inbox)
    except NotSignedIn as error:
        raise NotSignedIn(
            "nobody is signed in here. Send 'Authorization: Bearer TOKEN', with an API key "
            "(`interlock inbox key create`) or a token of the identity provider."
        ) from error


async def who_reads(request: Request, inbox: Here) -> Person:
    """Return who is signed in on the pages.

    Raises:
        NotSignedIn: nobody.
        TooManyRequests: too often.
    """
    person = await _signed_in(request, inbox)
    await inbox.limits.count_request(person.subject)
    return person


async def who_changes(request: Request, inbox: Here) -> Person:
    """Return who sent a form of the pages.

    Raises:
        NotSignedIn: nobody is signed in.
        NotAllowed: the form is not one of this session.
        TooManyRequests: too often.
    """
    person = await _signed_in(request, inbox)
    check_origin(request, inbox)
    form = await request.form()
    inbox.sessions.check_form_token(request, str(form.get("form_token", "")))
    await inbox.limits.count_request(person.subject)
    return person


def check_origin(request: Request, inbox: Inbox) -> None:
    """Refuse a change that a page of another site has sent.

    Raises:
        NotAllowed: the browser says that it comes from elsewhere.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    foreign = site not in ("same-origin", "none") if site else origin not in (None, inbox.origin)
    if foreign:
        raise NotAllowed("this change was sent by another site. Do it on the inbox's own pages.")


def address_of(request: Request) -> str:
    """Return where a request comes from, as far as it is known."""
    return request.client.host if request.client else "unknown"


async def _signed_in(request: Request, inbox: Inbox) -> Person:
    found = await inbox.sessions.person(request)
    if found is None:
        raise NotSignedIn("nobody is signed in here. Sign in at /login.")
    return await _with_places(inbox, inbox.people.known_as(found))  # as it stands now


async def _bearer(request: Request, inbox: Inbox, token: str) -> Person:
    try:
        return await _with_places(inbox, await _holder(inbox, token))
    except NotSignedIn:
        await inbox.limits.count_login(address_of(request))
        raise


async def _with_places(inbox: Inbox, person: Person) -> Person:
    places = await inbox.delegations.places(person)
    return SignedIn(**person.model_dump(), places=places) if places else person


async def _holder(inbox: Inbox, token: str) -> Person:
    if token.startswith(KEY_PREFIX):
        machine = await inbox.sessions.holder_of_key(token)
        if machine is None:
            raise NotSignedIn("this API key is unknown, revoked or too old. Make a new one.")
        return machine
    if inbox.provider is None:
        raise NotSignedIn("this is no API key, and no identity provider is set ('oidc.issuer').")
    claims = await inbox.provider.verified(token)
    return inbox.people.known_as(person_of(claims, inbox.provider.settings))


Caller = Annotated[Person, Depends(who_calls)]
"""Whoever calls the API."""
Reader = Annotated[Person, Depends(who_reads)]
"""Whoever looks at a page."""
Changer = Annotated[Person, Depends(who_changes)]
"""Whoever sends a form."""
