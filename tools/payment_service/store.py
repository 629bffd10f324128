"""Refunds on disk: one row each, durable before the caller hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import aiosqlite
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

_SCHEMA = """
CREATE TABLE IF NOT EXISTS refund (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id TEXT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    reason TEXT NOT NULL,
    reference TEXT NOT NULL,
    created_at TEXT NOT NULL
)
"""
_FIELDS = ("order_id", "amount", "currency", "reason", "reference", "created_at")
# One statement is one transaction: SQLite reads its clock when it has the lock and writes.
_INSERT = """
INSERT INTO refund (order_id, amount, currency, reason, reference, created_at)
SELECT :order_id, :amount, :currency, :reason, :reference, :created_at
WHERE :not_after IS NULL OR julianday('now') <= julianday(:not_after)
RETURNING id
"""


class TooLate(Exception):
    """The time of a refund was over before it could be made; it was not made."""


class _Refund(BaseModel):
    """What a caller says of a refund."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: str = Field(min_length=1, max_length=40)
    amount: Decimal = Field(gt=0, le=2000, decimal_places=2)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    reason: str = Field(max_length=300)
    reference: str = Field(min_length=1, max_length=200)
    """The caller's own id. It is kept and searched, and not checked for being new."""


class RefundRequest(_Refund):
    """What a caller posts."""

    not_after: AwareDatetime | None = None
    """When it may not be made any more, by the clock of this service."""


class StoredRefund(_Refund):
    """A refund that was made."""

    id: str
    created_at: datetime


class RefundStore:
    """The refunds of one database file."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def add(self, request: RefundRequest) -> StoredRefund:
        """Make a refund; when this returns, it is on disk.

        Raises:
            TooLate: its time is over; it was not made.
        """
        made = request.model_dump(exclude={"not_after"}) | {
            "amount": request.amount.quantize(Decimal("0.01")),
            "created_at": datetime.now(UTC),
        }
        values = made | {
            "amount": str(made["amount"]),
            "created_at": made["created_at"].isoformat(),
            "not_after": request.not_after and request.not_after.isoformat(),
        }
        rows = list(await self._connection.execute_fetchall(_INSERT, values))
        if not rows:
            raise TooLate
        return StoredRefund(id=_public_id(rows[0][0]), **made)

    async def find(self, *, reference: str | None, order_id: str | None) -> list[StoredRefund]:
        """Return refunds in the order they were made, all of them without a filter."""
        rows = await self._connection.execute_fetchall(
            f"SELECT id, {', '.join(_FIELDS)} FROM refund"  # noqa: S608 - constants of this module
            " WHERE (:reference IS NULL OR reference = :reference)"
            " AND (:order_id IS NULL OR order_id = :order_id) ORDER BY id",
            {"reference": reference, "order_id": order_id},
        )
        return [
            StoredRefund(id=_public_id(number), **dict(zip(_FIELDS, rest, strict=True)))
            for number, *rest in rows
        ]


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[RefundStore]:
    """Open the database at `path`, made when it is not there, and close it at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Autocommit: every statement is its own transaction, so that requests that share the
    # connection cannot commit or see each other's unfinished work.
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=FULL")
        await connection.execute(_SCHEMA)
        await connection.execute("CREATE INDEX IF NOT EXISTS by_reference ON refund (reference)")
        await connection.execute("CREATE INDEX IF NOT EXISTS by_order ON refund (order_id)")
        yield RefundStore(connection)


def _public_id(number: int) -> str:
    return f"R-{number:06d}"
