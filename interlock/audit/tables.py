"""The tables behind the audit store and the ledger, the same on SQLite and on Postgres.

They have their own metadata, so that an application's SQLModel tables never mix with them. A
change here needs a migration in `interlock.audit.migrations`; a test holds the two together.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Double, Index, Integer, MetaData, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The metadata of this room's tables only."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class AnyText(TypeDecorator[str]):
    """Text of any content: NUL and lone surrogates, which a database refuses, become U+FFFD.

    Names and errors come from models and from other systems, and no stray character in them may
    keep an effect from being settled.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the plain string that the database stores."""
        return None if value is None else _UNSTORABLE.sub("\ufffd", str(value))


class _Table(SQLModel, registry=registry(metadata=metadata)):
    """Shares the metadata of the room."""


class _InContext(_Table):
    """A row with its call context, one column for each field."""

    agent: str = Field(sa_type=AnyText)
    tenant: str = Field(sa_type=AnyText)
    subject: str = Field(sa_type=AnyText)
    release: str = Field(sa_type=AnyText)
    lineage: str = Field(sa_type=AnyText)
    node: str = Field(sa_type=AnyText)


class EventRow(_InContext, table=True):
    """One audit event."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index(None, "workflow_id", "started_at"),
        Index(None, "tenant", "started_at"),
        Index(None, "kind", "started_at"),
    )

    seq: int | None = Field(
        default=None,
        primary_key=True,
        # Only an INTEGER primary key counts up by itself in SQLite.
        sa_type=BigInteger().with_variant(Integer, "sqlite"),
    )
    """Order of arrival: keeps events of one moment in the order they were recorded."""
    id: str = Field(unique=True, sa_type=AnyText)
    kind: str = Field(sa_type=AnyText)
    name: str = Field(sa_type=AnyText)
    outcome: str = Field(sa_type=AnyText)
    workflow_id: str = Field(sa_type=AnyText)
    run_id: str = Field(sa_type=AnyText)
    started_at: datetime
    ended_at: datetime
    cost_usd: float | None
    input_tokens: int = Field(sa_type=BigInteger)
    output_tokens: int = Field(sa_type=BigInteger)
    # JSON and not JSONB: it keeps what was written, key order and \u0000 included.
    refs: dict[str, str] = Field(sa_type=JSON)
    details: dict[str, Any] = Field(sa_type=JSON)


class EffectRow(_InContext, table=True):
    """One effect of the ledger."""

    __tablename__ = "effect"
    __table_args__ = (
        Index(None, "workflow_id", "claimed_at"),
        Index(None, "state", "claimed_at"),
    )

    effect_key: str = Field(primary_key=True, sa_type=AnyText)
    call_id: str = Field(sa_type=AnyText)
    tool: str = Field(sa_type=AnyText)
    arguments: dict[str, Any] = Field(sa_type=JSON)
    workflow_id: str = Field(sa_type=AnyText)
    state: str = Field(sa_type=AnyText)
    token: int = Field(sa_type=BigInteger)
    deadline: datetime
    request_id: str | None = Field(sa_type=AnyText)
    result: Any = Field(sa_type=JSON, nullable=True)
    error: str = Field(sa_type=AnyText)
    claimed_at: datetime
    settled_at: datetime | None


class ConsumedDecisionRow(_Table, table=True):
    """The one effect that a decision was spent on.

    Requests are told apart within a lineage: two runs whose models chose the same call id for the
    same action have equal request ids, and each has its own decision.
    """

    __tablename__ = "consumed_decision"

    lineage: str = Field(primary_key=True, sa_type=AnyText)
    request_id: str = Field(primary_key=True, sa_type=AnyText)
    effect_key: str = Field(sa_type=AnyText)
    consumed_at: datetime


class BreakerTableRow(_Table, table=True):
    """The circuit breaker of one dependency."""

    __tablename__ = "breaker"

    dependency: str = Field(primary_key=True, sa_type=AnyText)
    state: str = Field(sa_type=AnyText)
    token: int = Field(sa_type=BigInteger)
    until: datetime | None
    changed_at: datetime | None
    why: str = Field(sa_type=AnyText)
    counts: list[list[int]] = Field(sa_type=JSON)


class MeterRow(_Table, table=True):
    """A limit that calls share, and the row that a transaction holds while it looks at it."""

    __tablename__ = "limit_meter"

    key: str = Field(primary_key=True, sa_type=AnyText)
    booked: float = Field(sa_type=Double)
    """Theoretical arrival time of the next call that books a turn."""
    started: float = Field(sa_type=Double)
    """Theoretical arrival time of the next call that starts."""


class TurnRow(_Table, table=True):
    """One call under a limit. Times are seconds since 1970."""

    __tablename__ = "limit_turn"
    __table_args__ = (
        Index(None, "tool", "held_until"),
        Index(None, "key", "expires_at"),
    )

    call: str = Field(primary_key=True, sa_type=AnyText)
    tool: str = Field(sa_type=AnyText)
    key: str = Field(sa_type=AnyText)
    asked_at: float = Field(sa_type=Double)
    due_at: float | None = Field(sa_type=Double)
    """Its turn under the rate; None when it has none, or has used it."""
    moved: bool
    """Its turn is the one that it got when it came to start."""
    calls: int = Field(sa_type=BigInteger)
    """How often it was let go."""
    held_until: float = Field(sa_type=Double)
    """Until when it counts as running."""
    looks_until: float = Field(sa_type=Double)
    """Until when it counts as waiting for others to end."""
    expires_at: float = Field(sa_type=Double)


class CredentialTableRow(_Table, table=True):
    """A secret that stands for a person until it expires. Only its digest is kept."""

    __tablename__ = "credential"
    __table_args__ = (Index(None, "kind", "expires_at"),)

    digest: str = Field(primary_key=True, sa_type=AnyText)
    kind: str = Field(sa_type=AnyText)
    label: str = Field(sa_type=AnyText)
    holder: dict[str, Any] = Field(sa_type=JSON)
    created_at: datetime
    expires_at: datetime


EVENTS = metadata.tables["audit_event"]
EFFECTS = metadata.tables["effect"]
CONSUMED = metadata.tables["consumed_decision"]
BREAKERS = metadata.tables["breaker"]
METERS = metadata.tables["limit_meter"]
TURNS = metadata.tables["limit_turn"]
CREDENTIALS = metadata.tables["credential"]
