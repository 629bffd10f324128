"""The check of `interlock doctor` on how people sign in to the inbox."""

from __future__ import annotations

from importlib.util import find_spec

import httpx

from interlock.cli.findings import Finding, failed, ok, warn
from interlock.errors import InterlockError
from interlock.notifying.opening import inbox_origin
from interlock.settings import Settings

_NAME = "sign-in"
_ANSWER_SECONDS = 10.0


async def signing_in(settings: Settings) -> list[Finding]:
    """Look whether the identity provider answers as the inbox needs it to."""
    if not settings.oidc.issuer:
        return []
    if find_spec("joserfc") is None:
        message = "the inbox and its identity provider need more than is installed."
        return [warn(_NAME, message, "Install it with `pip install 'interlock[inbox]'`.")]
    from interlock.inbox.opening import provider_of

    try:
        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS) as client:
            provider = provider_of(settings, client)
            if provider is not None:
                await provider.check()
    except InterlockError as error:
        return [failed(_NAME, error)]
    origin = inbox_origin(settings.inbox) or "the inbox's address"
    message = f"{settings.oidc.issuer} answers. It has to know {origin}/login/callback."
    return [ok(_NAME, message)]
