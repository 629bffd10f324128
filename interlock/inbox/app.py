"""The ASGI application: routes, errors and what wraps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote, urlsplit

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

import interlock
from interlock.errors import InterlockError, NotSignedIn
from interlock.inbox import (
    api,
    delegation_pages,
    delegations_api,
    pages,
    run_pages,
    runs_api,
    signing_in,
)
from interlock.inbox.headers import SecurityHeaders
from interlock.inbox.problems import answer_of, problem_of
from interlock.inbox.rendering import FOLDER, render
from interlock.inbox.services import Inbox

LARGEST_BODY = 1_000_000
"""Bytes of a request: it is read before anybody knows who has sent it."""

DESCRIPTION = """
Requests for a decision and runs of one Interlock deployment. Send `Authorization: Bearer TOKEN`
with an API key (`interlock inbox key create`) or a token of the identity provider. Errors are
problem+json; their `code` is stable.
"""


_PARTS = (
    api,
    runs_api,
    delegations_api,
    signing_in,
    pages,
    run_pages,
    delegation_pages,
)


def application(inbox: Inbox) -> ASGIApp:
    """Return the application that serves an inbox."""
    app = FastAPI(
        title="Interlock inbox",
        version=interlock.__version__,
        description=DESCRIPTION.strip(),
        openapi_url=f"{api.PREFIX}/openapi.json",
        docs_url=None,  # they load scripts of others
        redoc_url=None,
        lifespan=_following,
        max_body_size=LARGEST_BODY,
    )
    app.state.inbox = inbox
    for part in _PARTS:
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    for kind in (InterlockError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer)
    named = urlsplit(inbox.origin).hostname or ""
    host = f"[{named}]" if ":" in named else named
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[host, "localhost"], www_redirect=False)
    return SecurityHeaders(app, https=inbox.origin.startswith("https:"))


@asynccontextmanager
async def _following(app: FastAPI) -> AsyncIterator[None]:
    """Keep the board fresh while the application runs."""
    inbox: Inbox = app.state.inbox
    following = asyncio.create_task(inbox.board.follow())
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _answer(request: Request, error: Exception) -> Response:
    """Answer an error: a page for a browser, a problem for a program."""
    if request.url.path.startswith(api.PREFIX):
        return answer_of(error)
    signs_in = request.url.path.startswith("/login")
    if isinstance(error, NotSignedIn) and request.method == "GET" and not signs_in:
        query = request.url.query
        asked = quote(request.scope["path"]) + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(asked, safe='')}", 303)
    found, sessions = problem_of(error), request.app.state.inbox.sessions
    token = sessions.form_token(request) if sessions.cookie in request.cookies else ""
    return render(request, "problem.html", found.status, problem=found, form_token=token)
