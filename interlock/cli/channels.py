"""The check of `interlock doctor` on those who are told of requests. Nothing is sent to them."""

from __future__ import annotations

import httpx

from interlock.cli.findings import Finding, failed, ok, warn
from interlock.errors import InterlockError
from interlock.notifying.opening import check_names, inbox_origin, routes_of
from interlock.settings import ChannelSettings, Settings


async def channels(settings: Settings) -> list[Finding]:
    """Look at the secret and the address of each channel, and at where its messages lead."""
    if not settings.notify:
        return []
    try:
        check_names(settings)
    except InterlockError as error:
        return [failed("notify", error)]
    async with httpx.AsyncClient() as client:
        found = [_channel(given, client) for given in settings.notify]
    return [*found, *_links(settings)]


def _channel(given: ChannelSettings, client: httpx.AsyncClient) -> Finding:
    name = f"notify {given.name}"
    try:
        routes_of(given, client)
    except InterlockError as error:
        return failed(name, error)
    conditions: list[tuple[str, list[str]]] = [
        ("tenant", given.tenants),
        ("risk", [*given.risks]),
        ("tier", given.tiers),
    ]
    only = [f"{what} {', '.join(names)}" for what, names in conditions if names]
    return ok(name, f"{given.channel}, of {'; '.join(only) or 'every request'}.")


def _links(settings: Settings) -> list[Finding]:
    if settings.inbox.public_url is not None:
        return []
    origin = inbox_origin(settings.inbox)
    where = f"lead to {origin}, which only this machine reaches" if origin else "have no link"
    return [
        warn("notify", f"messages {where}.", "Set 'inbox.public_url' to where people reach it.")
    ]
