"""The effects that were made, or may have been, for whoever adds them up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from interlock.audit.contract import EffectFilter, LedgerState
from interlock.audit.database import Database
from interlock.audit.tables import EFFECTS

_EFFECT = EFFECTS.c
_MADE = (LedgerState.CLAIMED, LedgerState.DONE, LedgerState.UNKNOWN)


class SqlEffects:
    """The `Effects` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def made(self, where: EffectFilter) -> list[tuple[str, dict[str, Any]]]:
        """Return tool and arguments of each effect that was made, or may have been."""
        query = (
            select(_EFFECT.tool, _EFFECT.arguments)
            .where(_EFFECT.state.in_(_MADE))
            .where(_EFFECT.claimed_at >= where.since)
            .where(_EFFECT.tenant == where.tenant)
        )
        if where.subject is not None:
            query = query.where(_EFFECT.subject == where.subject)

        def work(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
            return [(tool, dict(arguments)) for tool, arguments in connection.execute(query)]

        return await self._database.read(work)
