"""The effects that were made, or may have been, for whoever adds them up."""

from __future__ import annotations

from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from interlock.audit.contract import EffectFilter, LedgerState
from interlock.audit.database import Database
from interlock.audit.tables import EffectRow

_MADE = (LedgerState.CLAIMED, LedgerState.DONE, LedgerState.UNKNOWN)


class SqlEffects:
    """The `Effects` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def made(self, where: EffectFilter) -> list[tuple[str, dict[str, Any]]]:
        """Return tool and arguments of each effect that was made, or may have been."""
        query = (
            select(EffectRow.tool, EffectRow.arguments)
            .where(col(EffectRow.state).in_(_MADE))
            .where(col(EffectRow.claimed_at) >= where.since)
            .where(col(EffectRow.tenant) == where.tenant)
        )
        if where.subject is not None:
            query = query.where(col(EffectRow.subject) == where.subject)

        async def work(session: AsyncSession) -> list[tuple[str, dict[str, Any]]]:
            return [(tool, dict(arguments)) for tool, arguments in await session.exec(query)]

        return await self._database.read(work)
