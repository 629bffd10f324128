"""Who is signed in: sessions of browsers, links that sign in once, and keys of machines."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from interlock.approvals.people import Person
from interlock.audit.credentials import Credential, SqlCredentials
from interlock.errors import NotAllowed, NotSignedIn

KEY_PREFIX = "ilk_"
"""What an API key begins with, so that a scanner of secrets can tell one."""

_BY_LINK = "link"
"""Label of a session that a link began."""


class Attempt(BaseModel):
    """A browser that was sent to the identity provider."""

    model_config = ConfigDict(frozen=True)

    state: str
    nonce: str
    verifier: str
    next: str


class Sessions:
    """Sessions and other secrets, and the cookies that carry them.

    Args:
        credentials: Where they are kept.
        origin: scheme://host:port under which people come.
        session: How long one stays signed in.
        link: How long a link for signing in can be used.
        owners: Whether a link may sign in somebody whom the configuration does not name, and who
            then may do everything: whoever prints one owns the deployment's files.
    """

    def __init__(
        self,
        credentials: SqlCredentials,
        *,
        origin: str,
        session: timedelta,
        link: timedelta,
        owners: bool,
    ) -> None:
        self.owners = owners
        self._credentials = credentials
        self._secure = origin.startswith("https:")
        self._session = session
        self._link = link
        # A browser takes a cookie with this prefix only over https, for this host and no other. On
        # one's own machine cookies are shared by all ports.
        self.cookie = "__Host-interlock" if self._secure else f"interlock-{_port(origin)}"
        self._login_cookie = f"{self.cookie}-login"

    async def link(self, person: Person) -> str:
        """Return a secret that signs a person in once."""
        return await self._credentials.issue("link", _holder(person), self._link)

    async def follow_link(self, secret: str) -> Person:
        """Return whom a link signs in, and use it up.

        Raises:
            NotSignedIn: it is unknown, was used, or is too old.
        """
        found = await self._credentials.take("link", secret)
        if found is None:
            raise NotSignedIn(
                "this link was used, or is too old. Get another one where the inbox was started."
            )
        return self._linked(found)

    async def begin(self, response: Response, person: Person, *, by_link: bool = False) -> None:
        """Sign a person in: a new session, in a cookie of the response."""
        secret = await self._credentials.issue(
            "session", _holder(person), self._session, label=_BY_LINK if by_link else ""
        )
        self._set(response, self.cookie, secret, self._session)

    async def end(self, request: Request, response: Response) -> None:
        """Sign out: the session is forgotten on both sides."""
        secret = request.cookies.get(self.cookie, "")
        await self._credentials.take("session", secret)
        response.delete_cookie(self.cookie, path="/", secure=self._secure, httponly=True)

    async def person(self, request: Request) -> Person | None:
        """Return who is signed in, by the cookie of the request."""
        secret = request.cookies.get(self.cookie)
        found = await self._credentials.find("session", secret) if secret else None
        if found is None:
            return None
        return self._linked(found) if found.label == _BY_LINK else _person(found)

    async def holder_of_key(self, key: str) -> Person | None:
        """Return the machine that an API key stands for."""
        found = await self._credentials.find("api_key", key.removeprefix(KEY_PREFIX))
        return None if found is None else _person(found)

    async def attempt(self, response: Response, target: str) -> Attempt:
        """Note that a browser is sent to the identity provider, and return what it is asked."""
        made = Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            next=target,
        )
        secret = await self._credentials.issue("login", made.model_dump(), self._link)
        self._set(response, self._login_cookie, secret, self._link)
        return made

    async def come_back(self, request: Request, response: Response, state: str) -> Attempt:
        """Return what the browser that comes back was asked; it comes back once.

        Raises:
            NotSignedIn: this browser was not sent, or too long ago, or for something else.
        """
        found = await self._credentials.take("login", request.cookies.get(self._login_cookie, ""))
        response.delete_cookie(self._login_cookie, path="/", secure=self._secure, httponly=True)
        made = None if found is None else Attempt.model_validate(found.holder)
        if made is None or made.state != state:  # one guess: the attempt is used up
            raise NotSignedIn("this browser did not ask to sign in, or too long ago. Try again.")
        return made

    def form_token(self, request: Request) -> str:
        """Return what a form of this session has to bring along."""
        secret = request.cookies.get(self.cookie, "")
        return hmac.new(secret.encode(), b"form", sha256).hexdigest()

    def check_form_token(self, request: Request, token: str) -> None:
        """Refuse a change that did not come from a page of this session.

        Raises:
            NotAllowed: the token is missing or is another session's.
        """
        expected = self.form_token(request)
        if not hmac.compare_digest(expected.encode(), token.encode(errors="replace")):
            raise NotAllowed(
                "this change did not come from a page of the inbox: its form token is missing or "
                "old. Load the page again; a program sends a bearer token instead of a cookie."
            )

    def _linked(self, found: Credential) -> Person:
        """Return whom a link signs in: in its own right, only as what the configuration says.

        A link or session of before that rule may still hold every role.
        """
        person = _person(found)
        return person if self.owners else Person(subject=person.subject, name=person.name)

    def _set(self, response: Response, name: str, value: str, lasts: timedelta) -> None:
        response.set_cookie(
            name,
            value,
            max_age=int(lasts.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",  # strict would sign out whoever follows a link from a message
        )


async def issue_key(
    credentials: SqlCredentials, person: Person, lasts: timedelta, label: str
) -> str:
    """Return a new API key of a machine: nobody sees it again."""
    return KEY_PREFIX + await credentials.issue("api_key", _holder(person), lasts, label=label)


def _port(origin: str) -> int:
    return urlsplit(origin).port or 80


def _holder(person: Person) -> dict[str, object]:
    return person.model_dump(mode="json")


def _person(found: Credential) -> Person:
    return Person.model_validate(found.holder)
