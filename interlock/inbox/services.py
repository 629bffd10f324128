"""What the inbox's routes share: made once, when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request

from interlock.addresses import LOCAL, is_private
from interlock.audit.contract import AuditStore
from interlock.audit.credentials import SqlCredentials
from interlock.errors import ConfigError
from interlock.inbox.board import Board
from interlock.inbox.deciding import Decider
from interlock.inbox.limits import Limits
from interlock.inbox.oidc import Provider
from interlock.inbox.people import People
from interlock.inbox.requests import Requests
from interlock.inbox.sessions import Sessions
from interlock.runs.client import Runs
from interlock.runs.delegations import Delegations
from interlock.settings import InboxSettings, Settings
from interlock.workflows.runtime import Runtime


@dataclass(frozen=True)
class Inbox:
    """The parts of an open inbox."""

    runs: Runs
    runtime: Runtime
    board: Board
    requests: Requests
    decider: Decider
    people: People
    audit: AuditStore
    credentials: SqlCredentials
    delegations: Delegations
    sessions: Sessions
    limits: Limits
    provider: Provider | None
    """None where nobody signs in by OpenID Connect."""
    origin: str
    """scheme://host:port under which people reach it."""


def origin_of(settings: Settings, port: int) -> str:
    """Return the origin under which people reach an inbox that listens on a port.

    Raises:
        ConfigError: people would come without TLS from other machines, or at all in production.
    """
    url = settings.inbox.public_url
    origin = _local_origin(settings.inbox, port) if url is None else _public_origin(url)
    if settings.profile == "production" and not origin.startswith("https:"):
        raise ConfigError(
            f"'profile' is 'production', and people would reach the inbox at {origin}. Set "
            "'inbox.public_url' to the https address of what ends TLS before it, or do without the "
            "inbox (`--no-inbox`)."
        )
    return origin


def _local_origin(settings: InboxSettings, port: int) -> str:
    if settings.host not in LOCAL:
        raise ConfigError(
            f"'inbox.host' is {settings.host!r}: others could read what is sent. Set "
            "'inbox.public_url' to the https address of what ends TLS before it, or listen "
            "on 127.0.0.1."
        )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


def _public_origin(url: str) -> str:
    if not is_private(url):
        raise ConfigError(f"'inbox.public_url' is {url!r}; it has to begin with https://.")
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigError(
            f"'inbox.public_url' is {url!r}; it has to be https:// and a host, and no more."
        )
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(usual)}"  # as browsers write it


def inbox_of(request: Request) -> Inbox:
    """Return the inbox that answers a request."""
    found: Inbox = request.app.state.inbox
    return found


Here = Annotated[Inbox, Depends(inbox_of)]
"""The inbox, for a route."""
