"""Opens an inbox: settings become its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import httpx
from pydantic import SecretStr

from interlock.agents.loading import load_runtime
from interlock.app import database_url
from interlock.approvals.signatures import DecisionSigner
from interlock.audit.credentials import SqlCredentials
from interlock.audit.database import Database
from interlock.audit.store import SqlAuditStore
from interlock.errors import ConfigError
from interlock.inbox.board import Board
from interlock.inbox.deciding import Decider
from interlock.inbox.limits import Limits
from interlock.inbox.oidc import Provider
from interlock.inbox.people import People
from interlock.inbox.requests import Requests
from interlock.inbox.services import Inbox
from interlock.inbox.sessions import Sessions
from interlock.runs.client import Runs
from interlock.runs.delegations import delegations_of
from interlock.settings import Settings, environment_key
from interlock.signing import decision_signer
from interlock.workflows.runtime import Runtime

_PROVIDER_SECONDS = 10.0


@asynccontextmanager
async def open_inbox(
    settings: Settings, runs: Runs, *, origin: str, runtime: Runtime | None = None
) -> AsyncIterator[Inbox]:
    """Open the inbox of a deployment.

    Args:
        settings: What `load_settings` read.
        runs: The deployment's runs.
        origin: scheme://host:port under which people reach it.
        runtime: The deployment's agents and tools; those that the settings name by default.

    Raises:
        ConfigError: a setting is wrong.
        DatabaseUnreachable: the audit database does not answer.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(database_url(settings)))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=_PROVIDER_SECONDS))
        yield _inbox(settings, runs, origin, runtime or load_runtime(settings), database, http)


def _inbox(
    settings: Settings,
    runs: Runs,
    origin: str,
    runtime: Runtime,
    database: Database,
    http: httpx.AsyncClient,
) -> Inbox:
    given, credentials = settings.inbox, SqlCredentials(database)
    board = Board(runs, refresh_seconds=given.refresh_seconds)
    requests = Requests(board, runs, runtime)
    return Inbox(
        runs=runs,
        runtime=runtime,
        board=board,
        requests=requests,
        decider=Decider(runs, board, requests, _signer(settings)),
        people=People(settings.people),
        audit=SqlAuditStore(database),
        credentials=credentials,
        delegations=delegations_of(settings, database),
        sessions=sessions_of(settings, credentials, origin),
        limits=Limits(requests=given.requests_per_minute, logins=given.logins_per_minute),
        provider=provider_of(settings, http),
        origin=origin,
    )


def _signer(settings: Settings) -> DecisionSigner | None:
    given = settings.approvals
    named = given.signing_key_env is not None or given.signing_key_file is not None
    return decision_signer(settings) if named or settings.signatures_required else None


def sessions_of(settings: Settings, credentials: SqlCredentials, origin: str) -> Sessions:
    """Return the sessions of an inbox that people reach under an origin."""
    return Sessions(
        credentials,
        origin=origin,
        session=timedelta(seconds=settings.inbox.session_seconds),
        link=timedelta(seconds=settings.inbox.link_seconds),
        owners=not settings.signatures_required,
    )


def check_secrets(settings: Settings) -> None:
    """See that the inbox has the keys and secrets that the settings name.

    Raises:
        ConfigError: one is missing, or is none.
    """
    _signer(settings)
    if settings.oidc.issuer:
        _client_secret(settings)


def provider_of(settings: Settings, http: httpx.AsyncClient) -> Provider | None:
    """Return the identity provider that the settings name, if they do.

    Raises:
        ConfigError: the client's secret is not where the settings say.
    """
    if not settings.oidc.issuer:
        return None
    return Provider(settings.oidc, http, _client_secret(settings))


def _client_secret(settings: Settings) -> SecretStr | None:
    named = settings.oidc.client_secret_env
    secret = environment_key(named) if named else None
    if named and secret is None:
        raise ConfigError(
            f"the environment variable {named!r} that 'oidc.client_secret_env' names is empty. Put "
            "the client's secret into it, or leave the setting out for a public client."
        )
    return secret
