"""Audit events in the database: an event is written once, whatever is retried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Row, case, func, select

from interlock.audit.contract import AuditEvent, EventFilter, ModelUsage
from interlock.audit.database import Database
from interlock.audit.tables import EVENTS
from interlock.canonical import jsonable

_EVENT = EVENTS.c


class SqlAuditStore:
    """The `AuditStore` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new = new_events(database)

    async def record(self, events: Sequence[AuditEvent]) -> int:
        """Write events, in their order, and return how many were new.

        Raises:
            DatabaseBusy: another writer kept the database locked; nothing was written.
            NotSerializable: the details of an event have no JSON form.
        """
        if not events:
            return 0
        rows = event_rows(events)
        return await self._database.write(lambda found: found.execute(self._new, rows).rowcount)

    async def events(self, where: EventFilter) -> list[AuditEvent]:
        """Read events, oldest first unless the filter says otherwise."""
        order = (_EVENT.started_at, _EVENT.seq)
        query = (
            select(EVENTS)
            .where(*_conditions(where))
            .order_by(*(column.desc() for column in order) if where.newest_first else order)
            .limit(where.limit)
            .offset(where.offset)
        )

        def work(connection: Connection) -> list[AuditEvent]:
            return [_event(row) for row in connection.execute(query)]

        return await self._database.read(work)

    async def count(self, where: EventFilter) -> int:
        """Count the events that match, whatever `limit` and `offset` say."""
        query = select(func.count()).select_from(EVENTS).where(*_conditions(where))
        return await self._database.read(lambda connection: connection.execute(query).scalar_one())

    async def usage(self, where: EventFilter) -> list[ModelUsage]:
        """Add up the matching model calls of each workflow, by workflow id."""
        unpriced = case((_EVENT.cost_usd.is_(None), 1), else_=0)
        query = (
            select(
                _EVENT.workflow_id,
                func.count().label("calls"),
                func.sum(unpriced).label("unpriced_calls"),
                func.coalesce(func.sum(_EVENT.cost_usd), 0.0).label("cost_usd"),
                func.sum(_EVENT.input_tokens).label("input_tokens"),
                func.sum(_EVENT.output_tokens).label("output_tokens"),
            )
            .where(_EVENT.kind == "model_call", *_conditions(where))
            .group_by(_EVENT.workflow_id)
            .order_by(_EVENT.workflow_id)
            .limit(where.limit)
            .offset(where.offset)
        )

        def work(connection: Connection) -> list[ModelUsage]:
            rows = connection.execute(query)
            return [ModelUsage.model_validate(row, from_attributes=True) for row in rows]

        return await self._database.read(work)


def _conditions(where: EventFilter) -> list[ColumnElement[bool]]:
    wanted = {
        _EVENT.workflow_id: where.workflow_id,
        _EVENT.kind: where.kind,
        _EVENT.name: where.name,
        _EVENT.tenant: where.tenant,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    if where.outcomes:
        conditions.append(_EVENT.outcome.in_(where.outcomes))
    if where.since is not None:
        conditions.append(_EVENT.started_at >= where.since)
    return conditions


def new_events(database: Database) -> Insert:
    """Return the statement that writes the rows of `event_rows`, each once."""
    return database.insert_new(EVENTS).execution_options(preserve_rowcount=True)


def event_rows(events: Sequence[AuditEvent]) -> list[dict[str, object]]:
    """Return events as rows of their table."""
    return [_values(event) for event in events]


def _values(event: AuditEvent) -> dict[str, object]:
    values = event.model_dump(exclude={"context", "details"})
    return values | event.context.model_dump() | {"details": jsonable(event.details)}


def _event(row: Row[Any]) -> AuditEvent:
    values = dict(row._mapping)
    return AuditEvent.model_validate({**values, "context": values})
