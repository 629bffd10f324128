"""Secrets that stand for a person until they expire: API keys, sessions and links for signing in.

A secret has 256 random bits, so its plain SHA-256 is kept: there is nothing to guess, and whoever
reads the table can use nothing of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, Select, delete, insert, select

from interlock.audit.contract import AuditEvent
from interlock.audit.database import Database
from interlock.audit.store import event_rows, new_events
from interlock.audit.tables import CREDENTIALS

CredentialKind = Literal["api_key", "session", "link", "login", "delegation"]
"""api_key: of a machine. session: of a browser. link: signs in once. login: a browser that was sent
to the identity provider and is to come back. delegation: one person stands in for another; its
secret is given to nobody."""


class Credential(BaseModel):
    """What is known of a secret, without the secret."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The beginning of its digest: enough to name it, useless to sign in with."""
    kind: CredentialKind
    label: str = ""
    holder: dict[str, Any]
    """Whom it stands for, or what else it was given for."""
    created_at: datetime
    expires_at: datetime


class SqlCredentials:
    """The credentials of a deployment, on SQLite or Postgres.

    Args:
        database: The audit database.
        clock: The time now.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] | None = None) -> None:
        self._database = database
        self._new_events = new_events(database)
        self._clock = clock or (lambda: datetime.now(UTC))

    async def issue(
        self, kind: CredentialKind, holder: dict[str, Any], lasts: timedelta, *, label: str = ""
    ) -> str:
        """Make a secret and return it: this is the only time that anybody sees it."""
        secret = secrets.token_urlsafe(32)
        await self._keep(kind, secret, holder, self._clock() + lasts, label)
        return secret

    async def keep(
        self,
        kind: CredentialKind,
        secret: str,
        holder: dict[str, Any],
        expires_at: datetime,
        event: AuditEvent,
    ) -> None:
        """Keep what a secret of the caller's stands for, and record that: both or neither.

        Nothing is kept when the event was recorded before, so it may be called again.
        """
        await self._keep(kind, secret, holder, expires_at, event=event)

    async def _keep(
        self,
        kind: CredentialKind,
        secret: str,
        holder: dict[str, Any],
        expires_at: datetime,
        label: str = "",
        event: AuditEvent | None = None,
    ) -> None:
        now = self._clock()
        row = {
            "digest": _digest(kind, secret),
            "kind": kind,
            "label": label,
            "holder": holder,
            "created_at": now,
            "expires_at": expires_at,
        }

        def work(connection: Connection) -> None:
            connection.execute(delete(CREDENTIALS).where(CREDENTIALS.c.expires_at <= now))
            if event is None or self._record(connection, event):
                connection.execute(insert(CREDENTIALS).values(row))

        await self._database.write(work)

    def _record(self, connection: Connection, event: AuditEvent) -> bool:
        """Write an event, and say whether it is new."""
        return connection.execute(self._new_events, event_rows([event])).rowcount > 0

    async def find(self, kind: CredentialKind, secret: str) -> Credential | None:
        """Return what a secret stands for, or None when it is unknown, used or too old."""
        wanted = self._valid(kind).where(CREDENTIALS.c.digest == _digest(kind, secret))
        row = await self._database.read(lambda connection: connection.execute(wanted).first())
        return None if row is None else _credential(row)

    async def take(self, kind: CredentialKind, secret: str) -> Credential | None:
        """Return what a secret stands for and use it up: of two who come at once, one has it."""
        mine = CREDENTIALS.c.digest == _digest(kind, secret)
        wanted = self._valid(kind).where(mine)

        def work(connection: Connection) -> Credential | None:
            row = connection.execute(wanted).first()
            gone = connection.execute(delete(CREDENTIALS).where(mine)).rowcount
            return None if row is None or gone != 1 else _credential(row)

        return await self._database.write(work)

    async def list(self, kind: CredentialKind) -> list[Credential]:
        """Return the credentials of a kind that hold, newest first."""
        wanted = self._valid(kind).order_by(CREDENTIALS.c.created_at.desc())
        rows = await self._database.read(lambda connection: connection.execute(wanted).all())
        return [_credential(row) for row in rows]

    async def revoke(
        self, kind: CredentialKind, beginning: str, event: AuditEvent | None = None
    ) -> int:
        """Forget the credentials whose id begins so, and return how many they were.

        The event, if there is one, is recorded when any was forgotten.
        """
        gone = delete(CREDENTIALS).where(
            CREDENTIALS.c.kind == kind,
            CREDENTIALS.c.digest.startswith(beginning, autoescape=True),
        )

        def work(connection: Connection) -> int:
            count = connection.execute(gone).rowcount
            if count and event is not None:
                self._record(connection, event)
            return count

        return await self._database.write(work)

    def _valid(self, kind: CredentialKind) -> Select[Any]:
        now = self._clock()
        return select(CREDENTIALS).where(CREDENTIALS.c.kind == kind, CREDENTIALS.c.expires_at > now)


_SHOWN = 12


def credential_id(kind: CredentialKind, secret: str) -> str:
    """Return the id of what a secret stands for."""
    return _digest(kind, secret)[:_SHOWN]


def _digest(kind: CredentialKind, secret: str) -> str:
    # With its kind: a session's secret is no API key.
    return sha256(f"{kind}:{secret}".encode()).hexdigest()


def _credential(row: Row[Any]) -> Credential:
    return Credential(
        id=row.digest[:_SHOWN],
        kind=row.kind,
        label=row.label,
        holder=row.holder,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
