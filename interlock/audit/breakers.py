"""Circuit breakers in the database: one row for each dependency, shared by all workers.

A change is one transaction that locks the row, so of any number of workers one opens a breaker and
one makes its probe. What changes is not decided here: see `interlock.tools.breaker`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import inspect
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from interlock.audit.contract import BreakerRow
from interlock.audit.database import Database
from interlock.audit.tables import BreakerTableRow

Change = Callable[[BreakerRow], BreakerRow]
"""A pure function from a row to the row that takes its place."""


class SqlBreakers:
    """The `BreakerStore` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> list[BreakerRow]:
        """Return every breaker that was ever written, by dependency."""
        query = select(BreakerTableRow).order_by(col(BreakerTableRow.dependency))

        async def work(session: AsyncSession) -> list[BreakerRow]:
            return [_public(row) for row in await session.exec(query)]

        return await self._database.read(work)

    async def change(self, dependency: str, change: Change) -> tuple[BreakerRow, BreakerRow]:
        """Put what `change` makes of a row in its place; return the row before and after.

        A dependency that has no row yet begins closed.

        Raises:
            DatabaseBusy: another writer kept a lock for too long; nothing was changed.
        """
        fresh = BreakerRow(dependency=dependency)
        new = self._database.insert_new(BreakerTableRow).values(**_values(fresh))
        query = (
            select(BreakerTableRow)
            .where(col(BreakerTableRow.dependency) == dependency)
            .with_for_update()
        )

        async def work(session: AsyncSession) -> tuple[BreakerRow, BreakerRow]:
            await session.exec(new)
            row = (await session.exec(query)).one()
            before = _public(row)
            after = change(before)
            for name, value in _values(after).items():
                setattr(row, name, value)
            return before, after

        return await self._database.write(work)

    async def exist(self) -> bool:
        """Whether the database knows breakers; one that no worker of this version opened does not."""

        async def work(session: AsyncSession) -> bool:
            connection = await session.connection()
            return await connection.run_sync(
                lambda found: inspect(found).has_table(BreakerTableRow.__tablename__)
            )

        return await self._database.read(work)


def _values(row: BreakerRow) -> dict[str, object]:
    return row.model_dump() | {"counts": [list(item) for item in row.counts]}


def _public(row: BreakerTableRow) -> BreakerRow:
    return BreakerRow.model_validate(row, from_attributes=True)
