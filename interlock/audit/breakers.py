"""Circuit breakers in the database: one row for each dependency, shared by all workers.

A change is one transaction that locks the row, so of any number of workers one opens a breaker and
one makes its probe. What changes is not decided here: see `interlock.tools.breaker`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, bindparam, inspect, select, update

from interlock.audit.contract import BreakerRow
from interlock.audit.database import Database
from interlock.audit.tables import BREAKERS

Change = Callable[[BreakerRow], BreakerRow]
"""A pure function from a row to the row that takes its place."""

_ALL = select(BREAKERS).order_by(BREAKERS.c.dependency)
_LOCK = select(BREAKERS).where(BREAKERS.c.dependency == bindparam("name")).with_for_update()
_CHANGE = update(BREAKERS).where(BREAKERS.c.dependency == bindparam("name"))


class SqlBreakers:
    """The `BreakerStore` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new = database.insert_new(BREAKERS)

    async def read(self) -> list[BreakerRow]:
        """Return every breaker that was ever written, by dependency."""

        def work(connection: Connection) -> list[BreakerRow]:
            return [_public(dict(row._mapping)) for row in connection.execute(_ALL)]

        return await self._database.read(work)

    async def change(self, dependency: str, change: Change) -> tuple[BreakerRow, BreakerRow]:
        """Put what `change` makes of a row in its place; return the row before and after.

        A dependency that has no row yet begins closed.

        Raises:
            DatabaseBusy: another writer kept a lock for too long; nothing was changed.
        """
        fresh, name = BreakerRow(dependency=dependency), {"name": dependency}

        def work(connection: Connection) -> tuple[BreakerRow, BreakerRow]:
            connection.execute(self._new, _values(fresh))
            before = _public(dict(connection.execute(_LOCK, name).one()._mapping))
            after = change(before)
            connection.execute(_CHANGE, name | _values(after))
            return before, after

        return await self._database.write(work)

    async def exist(self) -> bool:
        """Whether the database knows breakers; one that no worker of this version opened does not."""
        return await self._database.read(
            lambda connection: inspect(connection).has_table(BREAKERS.name)
        )


def _values(row: BreakerRow) -> dict[str, Any]:
    return row.model_dump() | {"counts": [list(item) for item in row.counts]}


def _public(row: dict[str, Any]) -> BreakerRow:
    return BreakerRow.model_validate(row)
