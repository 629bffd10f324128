"""Signing in and out: by the identity provider, or by a link that was printed where it started."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from interlock.errors import NotSignedIn
from interlock.inbox.identity import Changer, address_of, check_origin
from interlock.inbox.oidc import Provider
from interlock.inbox.people import person_of
from interlock.inbox.rendering import render
from interlock.inbox.services import Here, Inbox

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_COMES_BACK_TO = "/login/callback"
Next = Annotated[str, Query(max_length=2000)]


@router.get("/login")
async def login(request: Request, inbox: Here, next: Next = "/") -> Response:  # noqa: A002
    """Show how to sign in."""
    ways = {"provider": inbox.provider is not None, "owners": inbox.sessions.owners}
    return render(request, "login.html", **ways, next=own(next))


@router.get("/login/link")
async def link(
    request: Request,
    token: Annotated[str, Query(max_length=200)] = "",
    next: Next = "/",  # noqa: A002
) -> Response:
    """Ask whoever opened a printed link to sign in: what merely fetches a link uses nothing up."""
    return render(request, "link.html", token=token, next=own(next))


@router.post("/login/link")
async def follow_link(
    request: Request,
    inbox: Here,
    token: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Sign in by a printed link, once; a form sent twice finds its browser signed in."""
    check_origin(request, inbox)
    await inbox.limits.count_login(address_of(request))
    response = RedirectResponse(own(next), 303)
    try:
        person = await inbox.sessions.follow_link(token)
    except NotSignedIn:
        if await inbox.sessions.person(request) is None:
            raise
        return response
    await inbox.sessions.begin(response, inbox.people.kept(person), by_link=True)
    return response


@router.get("/login/oidc")
async def leave_for_provider(request: Request, inbox: Here, next: Next = "/") -> Response:  # noqa: A002
    """Send the browser to the identity provider."""
    await inbox.limits.count_login(address_of(request))
    provider = _provider(inbox)
    response = RedirectResponse("/", 303)
    asked = await inbox.sessions.attempt(response, own(next))
    response.headers["Location"] = await provider.where_to_sign_in(
        redirect_uri=inbox.origin + _COMES_BACK_TO,
        state=asked.state,
        nonce=asked.nonce,
        verifier=asked.verifier,
    )
    return response


@router.get(_COMES_BACK_TO)
async def come_back(
    request: Request,
    inbox: Here,
    code: Annotated[str, Query(max_length=4000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Take the browser back from the identity provider, signed in."""
    await inbox.limits.count_login(address_of(request))
    provider = _provider(inbox)
    response = RedirectResponse("/", 303)
    asked = await inbox.sessions.come_back(request, response, state)
    if error or not code:
        raise NotSignedIn(f"the identity provider says {error or 'nothing'!r}. Sign in again.")
    claims = await provider.exchange(
        code,
        redirect_uri=inbox.origin + _COMES_BACK_TO,
        nonce=asked.nonce,
        verifier=asked.verifier,
    )
    person = person_of(claims, provider.settings)
    response.headers["Location"] = asked.next
    await inbox.sessions.begin(response, inbox.people.kept(person))
    return response


@router.post("/logout")
async def logout(request: Request, inbox: Here, person: Changer) -> Response:
    """Sign out."""
    response = RedirectResponse("/login", 303)
    await inbox.sessions.end(request, response)
    return response


def own(address: str) -> str:
    """Return an address of the inbox itself, whatever was given: nobody is sent elsewhere."""
    fine = address.isascii() and address.isprintable() and "\\" not in address
    return address if fine and address.startswith("/") and not address.startswith("//") else "/"


def _provider(inbox: Inbox) -> Provider:
    if inbox.provider is None:
        raise NotSignedIn("no identity provider is set ('oidc.issuer'). Use a printed link.")
    return inbox.provider
