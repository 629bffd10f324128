"""What the commands of the inbox do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from interlock.app import database_url
from interlock.approvals.people import Person
from interlock.audit.credentials import SqlCredentials
from interlock.audit.database import Database
from interlock.cli.logs import log_warnings
from interlock.cli.output import Output, table
from interlock.cli.requests import reviewer_name
from interlock.cli.signals import signals
from interlock.connection import connect
from interlock.errors import BadInput, ConfigError
from interlock.runs.client import Runs
from interlock.runs.delegations import MACHINE
from interlock.settings import Settings, load_settings

try:
    from interlock.inbox.opening import sessions_of
    from interlock.inbox.people import People
    from interlock.inbox.services import origin_of
    from interlock.inbox.serving import login_link, served_inbox, taken_address
    from interlock.inbox.sessions import issue_key
except ImportError as error:
    raise ConfigError(
        f"the inbox needs more than is installed: {error}. Install it with "
        "`pip install 'interlock[inbox]'`."
    ) from error


async def serve(out: Output, subject: str) -> None:
    """Serve the inbox until SIGINT or SIGTERM.

    Raises:
        ConfigError: a setting is wrong, or the address is taken.
        TemporalUnreachable: the deployment's server does not answer.
    """
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(signals())
        log_warnings()
        settings = load_settings()
        address = stack.enter_context(taken_address(settings))
        runs = Runs(settings, await connect(settings))
        inbox = await stack.enter_async_context(served_inbox(settings, runs, address))
        told: dict[str, object] = {"status": "ready", "inbox": inbox.origin, "pid": os.getpid()}
        lines = [f"ready: inbox {inbox.origin}"]
        if inbox.provider is None and (subject or inbox.sessions.owners):
            link = await login_link(inbox.sessions, inbox.people, inbox.origin, _whom(subject))
            told["link"] = link
            lines.append(f"sign in once: {link}")
        elif inbox.provider is None:
            lines.append("sign in: `interlock inbox link --as SUBJECT`, somebody of 'people'.")
        out.answer(told, *lines, one_line=True)
        await stop.wait()


async def print_link(out: Output, subject: str) -> None:
    """Print a link that signs in once.

    Raises:
        BadInput: the inbox listens on whatever port is free, so its address is not known; or a link
            does not sign in such a person here.
    """
    settings = load_settings()
    if settings.inbox.port == 0 and settings.inbox.public_url is None:
        raise BadInput("'inbox.port' is 0: only `interlock inbox` knows its address.")
    origin = origin_of(settings, settings.inbox.port)
    async with _credentials(settings) as credentials:
        sessions = sessions_of(settings, credentials, origin)
        link = await login_link(sessions, People(settings.people), origin, _whom(subject))
    out.answer({"link": link}, link)


async def create_key(
    out: Output, name: str, roles: Sequence[str], tenants: Sequence[str], days: float
) -> None:
    """Make an API key and print it."""
    settings = load_settings()
    machine = Person(
        subject=f"{MACHINE}{name}"[:200], name=name, roles=tuple(roles), tenants=tuple(tenants)
    )
    async with _credentials(settings) as credentials:
        key = await issue_key(credentials, machine, timedelta(days=days), name)
    out.answer(
        {"key": key, **machine.model_dump()},
        key,
        "Keep it: it is not shown again. Send it as 'Authorization: Bearer KEY'.",
    )


async def list_keys(out: Output) -> None:
    """Print the API keys that hold."""
    async with _credentials(load_settings()) as credentials:
        found = await credentials.list("api_key")
    rows = [
        (
            key.id,
            key.label,
            ", ".join(key.holder["roles"]),
            ", ".join(key.holder["tenants"]),
            f"{key.expires_at:%Y-%m-%d %H:%M}",
        )
        for key in found
    ]
    columns = ("ID", "NAME", "ROLES", "TENANTS", "EXPIRES (UTC)")
    out.answer(found, table(columns, rows) if rows else "No keys.")


async def revoke_key(out: Output, key_id: str) -> None:
    """Revoke an API key.

    Raises:
        BadInput: no key has that id.
    """
    async with _credentials(load_settings()) as credentials:
        gone = await credentials.revoke("api_key", key_id) if key_id else 0
    if not gone:
        raise BadInput(f"no key has the id {key_id!r}. List them with `interlock inbox key list`.")
    out.answer({"revoked": key_id}, f"revoked {key_id}.")


def _whom(subject: str) -> str:
    return subject or reviewer_name()


@asynccontextmanager
async def _credentials(settings: Settings) -> AsyncIterator[SqlCredentials]:
    async with Database(database_url(settings)) as database:
        yield SqlCredentials(database)
