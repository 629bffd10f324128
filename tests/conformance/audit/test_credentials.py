"""Secrets that stand for a person: kept as digests, used while they hold, links once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from interlock.audit.credentials import SqlCredentials
from interlock.audit.database import Database

HOLDER = {"subject": "ada", "tenants": ["north"]}
HOUR = timedelta(hours=1)


class Clock:
    """A time that the test moves."""

    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def credentials(database: Database, clock: Clock) -> SqlCredentials:
    """Give the store on an empty database."""
    return SqlCredentials(database, clock=clock)


async def test_a_secret_stands_for_its_holder_until_it_expires(credentials, clock):
    """It is found with its holder and its times, and to the second no longer."""
    secret = await credentials.issue("api_key", HOLDER, HOUR, label="nightly")
    found = await credentials.find("api_key", secret)
    assert found is not None
    assert (found.holder, found.label, found.kind) == (HOLDER, "nightly", "api_key")
    assert (found.created_at, found.expires_at) == (clock.now, clock.now + HOUR)

    clock.now += HOUR
    assert await credentials.find("api_key", secret) is None
    assert await credentials.take("api_key", secret) is None
    assert await credentials.list("api_key") == []


async def test_a_secret_is_of_one_kind(credentials):
    """A session's secret opens no door that asks for an API key."""
    secret = await credentials.issue("session", HOLDER, HOUR)
    assert await credentials.find("api_key", secret) is None
    assert await credentials.take("link", secret) is None
    assert await credentials.find("session", secret) is not None


async def test_of_many_who_take_a_link_one_has_it(credentials):
    """However many come at once with it, it is used once."""
    secret = await credentials.issue("link", HOLDER, HOUR)
    taken = await asyncio.gather(*(credentials.take("link", secret) for _ in range(20)))
    assert len([found for found in taken if found is not None]) == 1
    assert await credentials.find("link", secret) is None


async def test_no_secret_is_kept(database, credentials):
    """The table has digests: what it holds cannot be used to sign in."""
    secret = await credentials.issue("api_key", HOLDER, HOUR)
    rows = await database.read(lambda c: c.execute(text("SELECT * FROM credential")).all())
    (row,) = rows
    assert secret not in str(row)
    assert await credentials.find("api_key", row.digest) is None


async def test_a_revoked_credential_is_gone_and_no_other(credentials):
    """A key is named by the beginning of its id."""
    gone = await credentials.issue("api_key", HOLDER, HOUR, label="gone")
    kept = await credentials.issue("api_key", HOLDER, HOUR, label="kept")
    listed = {found.label: found.id for found in await credentials.list("api_key")}
    assert await credentials.revoke("api_key", listed["gone"]) == 1
    assert await credentials.revoke("api_key", "%") == 0
    assert await credentials.find("api_key", gone) is None
    assert await credentials.find("api_key", kept) is not None


async def test_the_expired_are_swept_when_one_is_issued(database, credentials, clock):
    """The table holds no more than what may still be used."""
    for _ in range(3):
        await credentials.issue("session", HOLDER, HOUR)
    clock.now += 2 * HOUR
    await credentials.issue("session", HOLDER, HOUR)
    count = text("SELECT count(*) FROM credential")
    assert await database.read(lambda c: c.execute(count).scalar()) == 1
