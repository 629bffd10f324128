"""The check of `interlock doctor` on the profile: what of a deployment is for development only."""

from __future__ import annotations

from importlib.util import find_spec

from interlock.cli.findings import Finding, failed, ok, warn
from interlock.connection import noted_server, server_address
from interlock.errors import InterlockError
from interlock.settings import Settings


async def profile(settings: Settings) -> list[Finding]:
    """Name the profile, and what is not meant for use by others."""
    found = [ok("profile", f"{settings.profile}."), *_links(settings)]
    if settings.profile == "production":
        found += [*_inbox(settings), *_people(settings), *_database(settings), *_server(settings)]
    return found


def _links(settings: Settings) -> list[Finding]:
    if settings.signatures_required:
        return []
    return [
        warn(
            "links",
            "`interlock inbox link` signs in whoever is not in 'people' to do everything.",
            "Set 'profile' to 'production', or approvals.require_signature to true.",
        )
    ]


def _inbox(settings: Settings) -> list[Finding]:
    if find_spec("fastapi") is None:
        return []
    from interlock.inbox.services import origin_of

    try:
        origin = origin_of(settings, settings.inbox.port)
    except InterlockError as error:
        return [failed("inbox", error)]
    return [ok("inbox", f"people reach it at {origin}.")]


def _people(settings: Settings) -> list[Finding]:
    if settings.oidc.issuer or settings.people:
        return []
    return [
        warn(
            "sign-in",
            "no person can sign in to the inbox.",
            "Name an identity provider ('oidc'), or people as [[people]].",
        )
    ]


def _database(settings: Settings) -> list[Finding]:
    if settings.audit.url is not None and not settings.audit.url.startswith("sqlite"):
        return []
    return [
        warn(
            "audit file",
            "the audit database is a SQLite file, which the workers of one machine share.",
            "Set 'audit.url' to a Postgres database.",
        )
    ]


def _server(settings: Settings) -> list[Finding]:
    if noted_server(settings).get("address") != server_address(settings):
        return []
    return [
        warn(
            "dev server",
            "the Temporal server is the one that `interlock up` runs, for development.",
            "Set 'temporal.address' to a Temporal server or cloud of your own.",
        )
    ]
