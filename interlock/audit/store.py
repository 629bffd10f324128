"""Audit events in the database: an event is written once, whatever is retried."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy
from sqlalchemy import ColumnElement, case, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from interlock.audit.contract import AuditEvent, EventFilter, ModelUsage
from interlock.audit.database import Database
from interlock.audit.tables import EventRow
from interlock.canonical import jsonable


class SqlAuditStore:
    """The `AuditStore` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, events: Sequence[AuditEvent]) -> int:
        """Write events, in their order, and return how many were new.

        Raises:
            DatabaseBusy: another writer kept the database locked; nothing was written.
            NotSerializable: the details of an event have no JSON form.
        """
        if not events:
            return 0
        rows = [_values(event) for event in events]
        new = self._database.insert_new(EventRow).returning(col(EventRow.seq))

        async def work(session: AsyncSession) -> int:
            # On the connection, because the session's own bulk insert does not know of conflicts.
            connection = await session.connection()
            return len((await connection.execute(new, rows)).all())

        return await self._database.write(work)

    async def events(self, where: EventFilter) -> list[AuditEvent]:
        """Read events, oldest first."""
        query = (
            select(EventRow)
            .where(*_conditions(where))
            .order_by(col(EventRow.started_at), col(EventRow.seq))
            .limit(where.limit)
            .offset(where.offset)
        )

        async def work(session: AsyncSession) -> list[AuditEvent]:
            return [_event(row) for row in await session.exec(query)]

        return await self._database.read(work)

    async def count(self, where: EventFilter) -> int:
        """Count the events that match, whatever `limit` and `offset` say."""
        query = select(func.count()).select_from(EventRow).where(*_conditions(where))

        async def work(session: AsyncSession) -> int:
            return (await session.exec(query)).one()

        return await self._database.read(work)

    async def usage(self, where: EventFilter) -> list[ModelUsage]:
        """Add up the matching model calls of each workflow, by workflow id."""
        unpriced = case((col(EventRow.cost_usd).is_(None), 1), else_=0)
        query = (
            sqlalchemy.select(
                col(EventRow.workflow_id),
                func.count().label("calls"),
                func.sum(unpriced).label("unpriced_calls"),
                func.coalesce(func.sum(EventRow.cost_usd), 0.0).label("cost_usd"),
                func.sum(EventRow.input_tokens).label("input_tokens"),
                func.sum(EventRow.output_tokens).label("output_tokens"),
            )
            .where(col(EventRow.kind) == "model_call", *_conditions(where))
            .group_by(col(EventRow.workflow_id))
            .order_by(col(EventRow.workflow_id))
            .limit(where.limit)
            .offset(where.offset)
        )

        async def work(session: AsyncSession) -> list[ModelUsage]:
            rows = await (await session.connection()).execute(query)
            return [ModelUsage.model_validate(row, from_attributes=True) for row in rows]

        return await self._database.read(work)


def _conditions(where: EventFilter) -> list[ColumnElement[bool]]:
    wanted = {
        col(EventRow.workflow_id): where.workflow_id,
        col(EventRow.kind): where.kind,
        col(EventRow.tenant): where.tenant,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    if where.since is not None:
        conditions.append(col(EventRow.started_at) >= where.since)
    return conditions


def _values(event: AuditEvent) -> dict[str, object]:
    values = event.model_dump(exclude={"context", "details"})
    return values | event.context.model_dump() | {"details": jsonable(event.details)}


def _event(row: EventRow) -> AuditEvent:
    return AuditEvent.model_validate(row, from_attributes=True)
